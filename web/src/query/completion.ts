// What may stand where one writes: tables, columns, functions, levels, recipes.

import { type Completion, type CompletionContext, type CompletionResult, type CompletionSource, snippetCompletion } from "@codemirror/autocomplete";
import { type SQLDialect, keywordCompletionSource } from "@codemirror/lang-sql";
import { type Country, type Recipe, countries, levels, once, sql, table, tables, variables } from "../api";
import { named } from "../sql";

interface Known {
  tables: Completion[];
  /** By table */
  columns: Map<string, Completion[]>;
  functions: Completion[];
  recipes: Completion[];
  countries: Country[];
}

let known: Promise<Known> | undefined;

const quiet = <T>(asked: Promise<T>, otherwise: T) => asked.catch(() => otherwise);

async function learn(): Promise<Known> {
  const routines = sql("SELECT DISTINCT routine_name, description, syntax_example FROM information_schema.routines ORDER BY 1");
  const [all, functions, recipes, packs] = await Promise.all([
    quiet(tables(), []),
    quiet(routines, { columns: [], rows: [], notices: [] }),
    quiet(once<Recipe[]>("/v1/recipes"), []),
    quiet(countries(), []),
  ]);
  const described = await Promise.all(all.map((t) => quiet(table(t.name), t)));
  return {
    tables: all.map((t) => ({ label: t.name, apply: named(t.name), type: "table", detail: `${t.rows.toLocaleString("en")} rows`, boost: 3 })),
    columns: new Map(
      described.map((t) => [t.name, (t.columns ?? []).map((c) => ({ label: c.name, apply: named(c.name), type: "column", detail: c.type, boost: 2 }))]),
    ),
    functions: functions.rows.map((row) => {
      const name = String(row["routine_name"]);
      const info = [row["syntax_example"], row["description"]].filter(Boolean).join("\n\n");
      return snippetCompletion(`${name}(\${})`, { label: name, type: "function", detail: "()", ...(info && { info }), boost: OWN.test(name) ? 2 : -1 });
    }),
    recipes: recipes.flatMap((r) =>
      r.sql ? [{ label: r.name, type: "recipe", detail: "recipe", info: r.description, apply: r.sql.trim(), boost: -2 }] : [],
    ),
    countries: packs,
  };
}

/** Functions of this database, which come before those that every database has. */
const OWN =
  /persona|narrative|search|sample|similar_to|fidelity|rake|rebalance|validate|compare|duplicates|counterfactual|stereotype|survey|independences|age_band|embed|cosine|unaccent|entropy|vendi|simpson|evenness|versions|permanent/;

/** Functions whose first argument, or second, is a country. */
const OF_COUNTRY = /\b(sample_persona|generate_persona|persona_probability|complete_persona|counterfactual|assumed_independences)\s*\(\s*'([^']*)$/;
const SECOND = /\b(fidelity|rake|rebalance)\s*\(\s*(?:[\w"]+|\([^()]*(?:\([^()]*\)[^()]*)*\))\s*,\s*'([^']*)$/;

/** A text that is begun, as a value of a column. */
const VALUE = /([a-z_][a-z0-9_]*)\s*(?:=|<>|!=|\blike\b|\bin\s*\((?:\s*'(?:[^']|'')*'\s*,)*)\s*'([^']*)$/i;

async function ours(context: CompletionContext): Promise<CompletionResult | null> {
  known ??= learn();
  const { tables, columns, functions, recipes, countries } = await known;
  const before = context.state.sliceDoc(Math.max(0, context.pos - 2000), context.pos);
  const whole = context.state.doc.toString();
  const here = countries.find((c) => whole.includes(`'${c.name}'`)) ?? countries.find((c) => new RegExp(`\\b${c.name}\\b`).test(whole));
  const text = (typed: string, options: Completion[]) => ({ from: context.pos - typed.length, options, validFor: /^[^']*$/ });

  const country = OF_COUNTRY.exec(before) ?? SECOND.exec(before);
  if (country) return text(country[2] ?? "", countries.map((c) => ({ label: c.name, type: "country", detail: c.title })));
  const value = VALUE.exec(before);
  if (value) {
    const [, column = "", typed = ""] = value;
    if (!here) return null;
    const all = await quiet(levels(here.name, column, 200, typed), []);
    const options = all.flatMap((l) =>
      l.level === null ? [] : [{ label: l.level.replaceAll("'", "''"), type: "level", detail: l.label ?? `${(100 * l.share).toFixed(1)} %`, boost: Math.round(99 * l.share) }],
    );
    return { ...text(typed, options), validFor: (now: string) => now.startsWith(typed) && now.length < typed.length + 2 };
  }
  // Within a text nothing else is offered.
  if ((before.replaceAll("''", "").match(/'/g)?.length ?? 0) % 2 === 1) return null;
  const word = context.matchBefore(/[\w]+/);
  if (!word && !context.explicit) return null;
  const mentioned = [...columns].filter(([name]) => new RegExp(`\\b${name}\\b`).test(whole)).flatMap(([, c]) => c);
  const facts = here ? await quiet(variables(here.name), []) : [];
  const seen = new Set(mentioned.map((c) => c.label));
  const drawn = facts.filter((v) => !seen.has(v.name)).map((v) => ({ label: v.name, type: "column", detail: "fact", info: v.description, boost: 1 }));
  const once = [...new Map(mentioned.map((c) => [c.label, c])).values()];
  return {
    from: word?.from ?? context.pos,
    options: [...once, ...drawn, ...tables, ...functions, ...recipes],
    validFor: /^\w*$/,
  };
}

export const sources = (dialect: SQLDialect): CompletionSource[] => [ours, keywordCompletionSource(dialect, true)];
