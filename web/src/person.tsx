// A person: the name, what they are in a line, texts, lists and all other facts.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Column, Row, Value } from "./api";
import { plain, title } from "./words";

/** Where a row comes from, which is no fact about a person. */
const ORIGIN = new Set([
  "uuid", "seed", "row_index", "given", "pack", "country", "run_id", "narrator", "narrative_error", "narrative_language",
  "twin_of", "score", "fact", "fact_score", "semantic_score", "semantic_rank", "text_score", "text_rank", "matched",
]);

const isVector = (column: Column) => /^List\(.*, \d+\)$/.test(column.type);
const isList = (column: Column) => column.type.startsWith("List(") && !isVector(column);

/** Texts about a person, as they are told from facts: they are long. */
export const isText = (value: Value | undefined) => typeof value === "string" && value.length > 70;

/** The whole name, its parts in the order in which people say them. */
export const nameOf = (row: Row): string => {
  const of = (name: string) => (typeof row[name] === "string" ? row[name] : "");
  const isFamilyFirst = row["country"] === "JPN" || row["name_order"] === "Family Name First" || "last_name_reading" in row;
  const initial = of("middle_name").length === 1 ? of("middle_name") : "";
  const parts = isFamilyFirst
    ? [of("last_name"), of("first_name")]
    : row["name_order"] === "Western Name First"
      ? [of("first_name"), of("last_name"), of("middle_name")]
      : [of("first_name"), initial, of("maternal_surname"), of("last_name")];
  return parts.filter(Boolean).join(" ") || String(row["uuid"] ?? "Somebody");
};

const first = (row: Row, names: string[]) => {
  const found = names.find((name) => typeof row[name] === "string" && row[name] !== "");
  return found ? plain(String(row[found])) : undefined;
};

/** Age and sex; where; what they do. */
export function lineOf(row: Row): string[] {
  const place = first(row, ["city", "municipality", "district", "planning_area"]);
  const region = first(row, ["state", "prefecture"]);
  const where = [place, region].filter((p, at, all) => p && all.indexOf(p) === at).join(", ");
  const work = first(row, ["occupation_title", "occupation", "occupation_group", "labour_status"]);
  const none = work && /^(not in workforce|none|no occupation)$/.test(work);
  return [
    [row["age"], first(row, ["sex"])].filter(Boolean).join(" · "),
    where,
    none ? (first(row, ["labour_status"]) ?? "") : (work ?? ""),
  ].filter(Boolean);
}

export interface Parts {
  texts: [string, string][];
  lists: [string, string[]][];
  facts: [string, string][];
  origin: [string, string][];
}

const said = (value: Value): string =>
  value === null ? "—" : typeof value === "object" ? JSON.stringify(value) : typeof value === "string" ? plain(value) : String(value);

/** What a row says, by what it is. */
export function partsOf(columns: Column[], row: Row): Parts {
  const parts: Parts = { texts: [], lists: [], facts: [], origin: [] };
  for (const column of columns) {
    const value = row[column.name];
    if (value === undefined || isVector(column)) continue;
    if (ORIGIN.has(column.name)) {
      if (value !== null) parts.origin.push([column.name, typeof value === "string" ? value : said(value)]);
    } else if (isList(column)) {
      if (Array.isArray(value) && value.length) parts.lists.push([column.name, value.map(said)]);
    } else if (isText(value)) parts.texts.push([column.name, String(value)]);
    // A list that is also there as a text is told once.
    else if (!(`${column.name}_list` in row)) parts.facts.push([column.name, said(value)]);
  }
  // The persona tells of the whole person.
  parts.texts.sort(([a], [b]) => Number(b === "persona") - Number(a === "persona"));
  return parts;
}

export function FactList({ facts }: { facts: [string, string][] }) {
  return (
    <dl class="fact-list">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{plain(name)}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export const textTitle = (name: string) => (name === "persona" ? "In short" : title(name.replace(/_persona$/, "")));

export function Card({ columns, row, children }: { columns: Column[]; row: Row; children?: ComponentChildren }) {
  const parts = partsOf(columns, row);
  const [text, setText] = useState(0);
  const chosen = parts.texts[text] ?? parts.texts[0];
  const language = typeof row["narrative_language"] === "string" ? row["narrative_language"] : undefined;
  return (
    <article class="card">
      <header>
        <span class="face" aria-hidden="true">
          {nameOf(row).charAt(0)}
        </span>
        <div>
          <h3>{nameOf(row)}</h3>
          {lineOf(row).map((line) => (
            <p key={line} class="quiet">
              {line}
            </p>
          ))}
        </div>
      </header>
      {chosen && (
        <p class="prose" lang={language}>
          {chosen[1]}
        </p>
      )}
      {parts.lists.slice(0, 2).map(([name, items]) => (
        <ul key={name} class="tags" aria-label={plain(name.replace(/_list$/, ""))}>
          {items.slice(0, 5).map((item) => (
            <li key={item}>{item}</li>
          ))}
        </ul>
      ))}
      {parts.texts.length > 1 && (
        <label class="texts">
          <span class="hidden">Text about {nameOf(row)}</span>
          <select value={String(text)} onChange={(event) => setText(Number(event.currentTarget.value))}>
            {parts.texts.map(([name], at) => (
              <option key={name} value={String(at)}>
                {textTitle(name)}
              </option>
            ))}
          </select>
        </label>
      )}
      <details>
        <summary>All {parts.facts.length} facts</summary>
        <FactList facts={parts.facts} />
        {parts.lists.map(([name, items]) => (
          <p key={name} class="small">
            <b>{plain(name.replace(/_list$/, ""))}</b> {items.join(", ")}
          </p>
        ))}
      </details>
      {children}
    </article>
  );
}
