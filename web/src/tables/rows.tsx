// The rows of a table, in the order of their keys, and searches among them.

import { useCallback, useMemo, useState } from "preact/hooks";
import { type Column, type Problem, type Row, type Rows, type Table, ask, sql, table as asked } from "../api";
import { Grid } from "../grid";
import { Card } from "../person";
import { type Route, go, link } from "../route";
import { named, quoted } from "../sql";
import { Busy, Choice, Trouble, problemOf, useAsked } from "../ui";
import { exactly, plain } from "../words";

const isVector = (c: Column) => /^List\(.*, \d+\)$/.test(c.type);
const ORIGIN = /^(uuid|seed|row_index|given|pack|country|run_id|narrator|narrative_error|narrative_language)$/;
/** What is a list, or a text of a narrator's, is wide. */
const isWide = (c: Column) => c.type.startsWith("List(") || /persona$|_list$|background|interests|goals|skills|narrative/.test(c.name);

const WAYS = [
  ["both", "Meaning and words"],
  ["meaning", "Meaning"],
  ["words", "Words"],
  ["facts", "Facts"],
] as const;
type Way = (typeof WAYS)[number][0];

export function TablePage({ table: name, route }: { table: string; route: Route }) {
  const known = useAsked(() => asked(name), [name]);
  const columns = known.value?.columns ?? [];
  const text = route.query.get("q") ?? "";
  const where = route.query.get("where") ?? "";
  const by = (route.query.get("by") ?? "both") as Way;
  const to = (change: Record<string, string>) => {
    const query = new URLSearchParams(route.query);
    for (const [key, value] of Object.entries(change)) value ? query.set(key, value) : query.delete(key);
    go(["tables", name], query, true);
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    to({ q: String(form.get("q")).trim(), where: String(form.get("where")).trim() });
  };
  return (
    <>
      <p class="path">
        <a href="#/tables">Tables</a> / {name}
      </p>
      <div class="heading">
        <h1>{name}</h1>
        <div class="actions">
          <a class="button small" href={link(["query"], { sql: `SELECT * FROM ${named(name)} LIMIT 100` })}>
            Query it
          </a>
          <a class="button small" href={link(["trust"], { table: name })}>
            How far it agrees
          </a>
        </div>
      </div>
      <Trouble problem={known.problem} />
      {known.value && (
        <>
          <form class="search" onSubmit={submit} key={`${text}\n${where}`}>
            <label class="wide">
              Find people
              <input type="search" name="q" defaultValue={text} placeholder="retired nurse who gardens" />
            </label>
            <label class="wide">
              Only those of whom this holds, in SQL
              <input type="text" class="mono" name="where" defaultValue={where} placeholder="age > 60" spellcheck={false} />
            </label>
            <button type="submit" class="first">
              Find
            </button>
            {(text || where) && (
              <button type="button" onClick={() => to({ q: "", where: "" })}>
                Clear
              </button>
            )}
          </form>
          {text ? (
            <Found table={name} text={text} where={where} by={by} onBy={(by) => to({ by })} />
          ) : (
            <AllRows of={known.value} columns={columns} where={where} />
          )}
        </>
      )}
    </>
  );
}

interface FoundProps {
  table: string;
  text: string;
  where: string;
  by: Way;
  onBy: (by: Way) => void;
}

function Found({ table, text, where, by, onBy }: FoundProps) {
  const body = { text, table, by, k: 12, ...(where && { where }) };
  const found = useAsked((signal) => ask<Rows>("/v1/search", { body, signal }), [table, text, where, by]);
  const rows = found.value?.rows ?? [];
  const columns = found.value?.columns ?? [];
  return (
    <section>
      <div class="heading">
        <h2>
          {found.value ? `The ${rows.length} nearest` : "Searching"} <Busy is={found.busy} what="searching" />
        </h2>
        <Choice label="Searched by" options={WAYS} value={by} onChange={onBy} />
      </div>
      {found.busy && by === "facts" && (
        <p class="quiet">The first search by facts takes a while: what people of the table are is embedded once, and kept.</p>
      )}
      <Trouble problem={found.problem} />
      {found.value && rows.length === 0 && <p>Nobody is found so.</p>}
      <div class="cards">
        {rows.map((row) => (
          <Card key={String(row["uuid"])} columns={columns} row={row}>
            <p class="why">
              <span class="figure">score {Number(row["score"]).toPrecision(3)}</span>
              {typeof row["fact"] === "string" && <span>by “{plain(row["fact"])}”</span>}
              {row["uuid"] && <a href={link(["tables", table, String(row["uuid"])])}>Open</a>}
            </p>
          </Card>
        ))}
      </div>
    </section>
  );
}

/** Rows asked for at once. */
const LEAST = 100;
/** So many places are known by their keys. */
const ANCHORS = 5000;

interface Places {
  total: number;
  size: number;
  /** The first key of each block; nothing where rows have none */
  anchors?: string[];
}

/** How many rows there are, and the key of every so many-th: where one goes in, wherever one scrolls to. */
async function places(table: string, total: number, hasKey: boolean, where: string, signal: AbortSignal): Promise<Places> {
  const filter = where ? ` WHERE ${where}` : "";
  if (where || !hasKey) {
    const counted = await sql(`SELECT count(*) AS n FROM ${named(table)}${filter}`, signal);
    total = Number(counted.rows[0]?.["n"] ?? 0);
  }
  const size = Math.max(LEAST, Math.ceil(total / ANCHORS));
  if (!hasKey) return { total: Math.min(total, 1000), size: 1000 };
  if (total <= size) return { total, size, anchors: [""] };
  const numbered = `SELECT uuid, row_number() OVER (ORDER BY uuid) AS n FROM ${named(table)}${filter}`;
  const found = await sql(`SELECT uuid FROM (${numbered}) WHERE (n - 1) % ${size} = 0 ORDER BY uuid`, signal);
  return { total, size, anchors: found.rows.map((row) => String(row["uuid"])) };
}

function AllRows({ of, columns, where }: { of: Table; columns: Column[]; where: string }) {
  const able = columns.filter((c) => !isVector(c));
  const first = useMemo(() => {
    const facts = able.filter((c) => !ORIGIN.test(c.name) && !isWide(c)).slice(0, 14);
    return [...facts, ...able.filter((c) => c.name === "persona")].map((c) => c.name);
  }, [columns]);
  const [chosen, setChosen] = useState(first);
  const shown = chosen.flatMap((name) => able.find((c) => c.name === name) ?? []);
  const hasKey = able.some((c) => c.name === "uuid");
  const known = useAsked((signal) => places(of.name, of.rows, hasKey, where, signal), [of.name, where]);
  const [, redraw] = useState(0);
  const [problem, setProblem] = useState<Problem>();
  const select = [...new Set([...(hasKey ? ["uuid"] : []), ...chosen])].map(named).join(", ");
  // Of other rows, or of other columns, nothing is known yet.
  const blocks = useMemo(() => new Map<number, Row[] | null>(), [known.value, select]);

  const see = useCallback(
    (from: number, to: number) => {
      const at = known.value;
      if (!at) return;
      for (let block = Math.floor(from / at.size); block * at.size < to; block++) {
        if (blocks.has(block)) continue;
        blocks.set(block, null);
        const anchor = at.anchors?.[block];
        const parts = [where && `(${where})`, anchor && `uuid >= ${quoted(anchor)}`].filter(Boolean);
        const filter = parts.length ? ` WHERE ${parts.join(" AND ")}` : "";
        const order = at.anchors ? " ORDER BY uuid" : "";
        sql(`SELECT ${select || "*"} FROM ${named(of.name)}${filter}${order} LIMIT ${at.size}`).then(
          ({ rows }) => {
            blocks.set(block, rows);
            redraw((n) => n + 1);
          },
          (error) => {
            blocks.delete(block);
            setProblem(problemOf(error));
          },
        );
      }
    },
    [blocks],
  );
  const row = (at: number) => {
    const size = known.value?.size ?? LEAST;
    return blocks.get(Math.floor(at / size))?.[at % size];
  };
  return (
    <section>
      <div class="heading">
        <p class="quiet figure">
          {known.value && `${exactly(known.value.total)} rows${where ? " of them" : ""}`} <Busy is={known.busy} />
          {!hasKey && " The rows have no key: the first thousand are shown."}
        </p>
        <details class="menu">
          <summary class="button small">Columns</summary>
          <ul>
            {able.map((c) => (
              <li key={c.name}>
                <label class="check">
                  <input
                    type="checkbox"
                    checked={chosen.includes(c.name)}
                    onChange={(event) =>
                      setChosen(event.currentTarget.checked ? [...chosen, c.name] : chosen.filter((n) => n !== c.name))
                    }
                  />
                  {plain(c.name)}
                </label>
              </li>
            ))}
          </ul>
        </details>
      </div>
      <Trouble problem={known.problem ?? problem} />
      {known.value && (
        <Grid
          key={`${where}`}
          label={`Rows of ${of.name}`}
          columns={shown}
          total={known.value.total}
          row={row}
          onSee={see}
          {...(hasKey && { onOpen: (row: Row) => go(["tables", of.name, String(row["uuid"])]) })}
        />
      )}
      {hasKey && <p class="quiet small">A row opens its person: click it, or press Enter.</p>}
    </section>
  );
}
