// A person of a table: texts, facts, checks, who is like them, and who they would be otherwise.

import { useState } from "preact/hooks";
import { type Column, type Row, type Rows, countries, levels, sql, table as asked, variables } from "../api";
import { label } from "../people/facts";
import { Card, FactList, lineOf, nameOf, partsOf, textTitle } from "../person";
import { link } from "../route";
import { named, quoted } from "../sql";
import { Busy, Trouble, useAsked } from "../ui";
import { plain, title } from "../words";

const isVector = (c: Column) => /^List\(.*, \d+\)$/.test(c.type);

export function PersonPage({ table, uuid }: { table: string; uuid: string }) {
  const known = useAsked(() => asked(table), [table]);
  const all = known.value?.columns ?? [];
  const columns = all.filter((c) => !isVector(c));
  const select = columns.map((c) => named(c.name)).join(", ");
  const where = `uuid = ${quoted(uuid)}`;
  const read = (signal: AbortSignal) => sql(`SELECT ${select} FROM ${named(table)} WHERE ${where}`, signal);
  const found = useAsked(columns.length ? read : undefined, [select, uuid]);
  const row = found.value?.rows[0];
  const parts = row && partsOf(found.value?.columns ?? [], row);
  const vectors = all.filter((c) => isVector(c) && c.name.endsWith("_embedding")).map((c) => c.name.replace(/_embedding$/, ""));
  const narrative = vectors.find((name) => name === "persona") ?? vectors[0];
  return (
    <>
      <p class="path">
        <a href="#/tables">Tables</a> / <a href={link(["tables", table])}>{table}</a>
      </p>
      <Trouble problem={known.problem ?? found.problem} />
      {found.value && !row && <p>Nobody in {table} has this uuid.</p>}
      {row && parts && (
        <>
          <header class="person">
            <span class="face" aria-hidden="true">
              {nameOf(row).charAt(0)}
            </span>
            <div>
              <h1>{nameOf(row)}</h1>
              <p class="quiet">{lineOf(row).join(" · ")}</p>
            </div>
          </header>
          <div class="columns">
            <div>
              {parts.texts.map(([name, text]) => (
                <section key={name} class="told">
                  <h2>{textTitle(name)}</h2>
                  <p class="prose">{text}</p>
                </section>
              ))}
              {parts.lists.map(([name, items]) => (
                <section key={name} class="told">
                  <h2>{title(name.replace(/_list$/, ""))}</h2>
                  <ul class="tags">
                    {items.map((item) => (
                      <li key={item}>{item}</li>
                    ))}
                  </ul>
                </section>
              ))}
              <Checks table={table} where={where} />
            </div>
            <aside>
              <section>
                <h2>Facts</h2>
                <FactList facts={parts.facts} />
              </section>
              <section>
                <h2>Where the row comes from</h2>
                <FactList facts={parts.origin} />
              </section>
            </aside>
          </div>
          <Twin table={table} where={where} row={row} columns={found.value?.columns ?? []} />
          {narrative && <Similar table={table} uuid={uuid} narrative={narrative} select={select} />}
        </>
      )}
    </>
  );
}

function Checks({ table, where }: { table: string; where: string }) {
  const statement = `SELECT * FROM validate((SELECT * FROM ${named(table)} WHERE ${where}))`;
  const found = useAsked((signal) => sql(statement, signal), [statement]);
  // What is said of all people together is nothing about one.
  const faults = found.value?.rows.filter((row) => row["uuid"] !== null) ?? [];
  return (
    <section class="told">
      <h2>
        Checks <Busy is={found.busy} what="checking" />
      </h2>
      <Trouble problem={found.problem} />
      {found.value && faults.length === 0 && (
        <p class="sound">Texts agree with the facts, and the facts with each other.</p>
      )}
      <ul class="faults">
        {faults.map((fault, at) => (
          <li key={at}>
            <b>{plain(String(fault["check"]))}</b> {fault["narrative"] ? `${plain(String(fault["narrative"]))}: ` : ""}
            {String(fault["detail"] ?? "")}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Similar({ table, uuid, narrative, select }: { table: string; uuid: string; narrative: string; select: string }) {
  const statement = `SELECT ${select}, score FROM similar_to(${named(table)}, ${quoted(uuid)}, 3, column => ${named(narrative)}) ORDER BY score DESC`;
  const found = useAsked((signal) => sql(statement, signal), [statement]);
  return (
    <section>
      <h2>
        Similar people <Busy is={found.busy} />
      </h2>
      <p class="quiet">By the meaning of {plain(narrative)}.</p>
      <Trouble problem={found.problem} />
      <div class="cards">
        {found.value?.rows.map((row: Row) => (
          <Card key={String(row["uuid"])} columns={found.value?.columns ?? []} row={row}>
            <p class="why">
              <span class="figure">similarity {Number(row["score"]).toFixed(3)}</span>
              <a href={link(["tables", table, String(row["uuid"])])}>Open</a>
            </p>
          </Card>
        ))}
      </div>
    </section>
  );
}

function Twin({ table, where, row, columns }: { table: string; where: string; row: Row; columns: Column[] }) {
  const packs = useAsked(() => countries(), []);
  const of = String(row["pack"] ?? "").split("@")[0] || String(row["country"] ?? "");
  const country = packs.value?.find((c) => c.name === of || c.code === of);
  const known = useAsked(country && (() => variables(country.name)), [country?.name]);
  const able = known.value?.filter((v) => columns.some((c) => c.name === v.name)) ?? [];
  const [variable, setVariable] = useState("sex");
  const of_ = able.find((v) => v.name === variable);
  const said = useAsked(country && of_ ? () => levels(country.name, variable, 200) : undefined, [country?.name, of_?.name]);
  const options = (said.value ?? []).filter((l) => l.level !== null && String(l.level) !== String(row[variable]));
  const [value, setValue] = useState("");
  const level = options.some((l) => l.level === value) ? value : (options[0]?.level ?? "");
  const [twin, setTwin] = useState<string>();
  const set = of_?.range ? `${named(variable)} = ${Number(level)}` : `${named(variable)} = ${quoted(level)}`;
  const statement = country && `SELECT * FROM counterfactual(${quoted(country.name)}, (SELECT * FROM ${named(table)} WHERE ${where}), set => (${set}))`;
  const found = useAsked(twin ? (signal) => sql(twin, signal) : undefined, [twin]);
  if (!country) return null;
  return (
    <section>
      <h2>
        A twin <Busy is={found.busy} />
      </h2>
      <p class="quiet">The same person with one thing otherwise: only what depends on it by the network is drawn again.</p>
      <form class="search" onSubmit={(event) => (event.preventDefault(), setTwin(statement))}>
        <label>
          If
          <select value={variable} onChange={(event) => setVariable(event.currentTarget.value)}>
            {able.map((v) => (
              <option key={v.name} value={v.name}>
                {plain(v.name)}
              </option>
            ))}
          </select>
        </label>
        <label>
          were
          <select value={level} onChange={(event) => setValue(event.currentTarget.value)}>
            {options.map((l) => (
              <option key={l.level} value={l.level ?? ""}>
                {label(l)}
              </option>
            ))}
          </select>
        </label>
        <button type="submit">Show the twin</button>
      </form>
      <Trouble problem={found.problem} />
      {twin && found.value && <Changes row={row} twin={found.value} />}
    </section>
  );
}

function Changes({ row, twin }: { row: Row; twin: Rows }) {
  const other = twin.rows[0];
  if (!other) return null;
  const names = twin.columns.map((c) => c.name).filter((name) => name in row && !/^(uuid|seed|row_index|given|twin_of)$/.test(name));
  const changed = names.filter((name) => JSON.stringify(row[name]) !== JSON.stringify(other[name]));
  const text = (value: unknown) => (value === null || value === undefined ? "none" : Array.isArray(value) ? value.map((v) => plain(String(v))).join(", ") : plain(String(value)));
  return (
    <table class="plain">
      <thead>
        <tr>
          <th scope="col">What changes</th>
          <th scope="col">{nameOf(row)}</th>
          <th scope="col">{nameOf(other)}, the twin</th>
        </tr>
      </thead>
      <tbody>
        {changed.map((name) => (
          <tr key={name}>
            <th scope="row">{plain(name.replace(/_list$/, ""))}</th>
            <td>{text(row[name])}</td>
            <td>{text(other[name])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
