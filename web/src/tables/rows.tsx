// The rows of a table, in the order of their keys, and searches among them.

import { useMemo, useState } from "preact/hooks";
import { type Column, type Row, type Rows, type Table, ask, table as asked } from "../api";
import { Grid } from "../grid";
import { Card } from "../person";
import { type Route, go, link } from "../route";
import { named } from "../sql";
import { Busy, Choice, Trouble, useAsked } from "../ui";
import { exactly, plain } from "../words";
import { useBlocks } from "./blocks";

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

function AllRows({ of, columns, where }: { of: Table; columns: Column[]; where: string }) {
  const able = columns.filter((c) => !isVector(c));
  const first = useMemo(() => {
    const facts = able.filter((c) => !ORIGIN.test(c.name) && !isWide(c)).slice(0, 14);
    return [...facts, ...able.filter((c) => c.name === "persona")].map((c) => c.name);
  }, [columns]);
  const [chosen, setChosen] = useState(first);
  const shown = chosen.flatMap((name) => able.find((c) => c.name === name) ?? []);
  const hasKey = able.some((c) => c.name === "uuid");
  const { known, problem, see, row } = useBlocks({ table: of.name, rows: of.rows, hasKey, where, columns: chosen });
  return (
    <section>
      <div class="heading">
        <p class="quiet figure">
          {known.value && `${exactly(known.value.total)} rows${where ? " of them" : ""}`}
          {!known.value && hasKey && !where && `${exactly(of.rows)} rows, which are put in order`} <Busy is={known.busy} />
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
