// SQL as the page writes it.

export const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

const RESERVED = new Set(
  "all alter and as asc between by case create cross delete desc distinct drop else end except exists from full group having in inner insert intersect into is join left like limit not null offset on or order outer right select set table then union update using values when where with".split(" "),
);

/** A name of a table or column: quoted where it must be. */
export const named = (name: string) =>
  /^[a-z_][a-z0-9_]*$/.test(name) && !RESERVED.has(name) ? name : `"${name.replaceAll('"', '""')}"`;

/** What is said of one variable: some of its levels, or a range. */
export type Fact = { levels: (string | null)[] } | { from?: number; to?: number };

/** Facts by the names of their variables, in the order in which they were chosen. */
export type Facts = Record<string, Fact>;

function predicate(variable: string, fact: Fact): string | undefined {
  const column = named(variable);
  if ("levels" in fact) {
    const some = fact.levels.filter((level) => level !== null);
    const none = some.length < fact.levels.length ? `${column} IS NULL` : undefined;
    const one = some.length === 1 ? `${column} = ${quoted(some[0] as string)}` : undefined;
    const among = one ?? (some.length ? `${column} IN (${some.map(quoted).join(", ")})` : undefined);
    return none && among ? `(${among} OR ${none})` : (none ?? among);
  }
  const { from, to } = fact;
  if (from !== undefined && to !== undefined) {
    return from === to ? `${column} = ${from}` : `${column} BETWEEN ${from} AND ${to}`;
  }
  if (from !== undefined) return `${column} >= ${from}`;
  return to === undefined ? undefined : `${column} <= ${to}`;
}

/** What holds of the people who are asked for; nothing of everybody. */
export function condition(facts: Facts, also: string): string | undefined {
  const parts = Object.entries(facts).flatMap(([variable, fact]) => predicate(variable, fact) ?? []);
  const free = also.trim();
  if (free) parts.push(parts.length && /\bor\b/i.test(free) ? `(${free})` : free);
  return parts.length ? parts.join(" AND ") : undefined;
}

const given = (of: string | undefined) => (of === undefined ? "" : `, given => ${of}`);

/** The statement that draws people and has them written up. */
export const drawn = (country: string, n: number, seed: number, of: string | undefined) =>
  `SELECT * FROM generate_persona(${quoted(country)}, ${n}, seed => ${seed}${given(of)})`;

/** The statement that tells the exact shares of a country's people, or of some of them, by expressions. */
export const shares = (country: string, by: string, of: string | undefined) =>
  `SELECT * FROM rebalance((SELECT * FROM sample_persona(${quoted(country)}, 1, seed => 1)), ${quoted(country)}, ` +
  `strata => (${by})${given(of)}, size => 1000000)`;
