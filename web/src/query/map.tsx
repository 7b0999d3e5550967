// Rows on a map, where a column has the levels that a map has shapes for.

import { useState } from "preact/hooks";
import { type Rows, countries } from "../api";
import { Choropleth } from "../choropleth";
import { shapes } from "../map";
import { Trouble, useAsked } from "../ui";
import { plain } from "../words";

/** The map, and the column of its places, that most rows are on. */
async function found(rows: Rows) {
  const maps = (await countries()).filter((c) => c.map);
  const all = await Promise.all(maps.map(async (country) => ({ country, shapes: await shapes(country) })));
  const scored = all.flatMap(({ country, shapes }) => {
    const levels = new Set(shapes.places.map((p) => p.level));
    return rows.columns.map(({ name }) => {
      const on = new Set(rows.rows.map((row) => String(row[name])).filter((level) => levels.has(level)));
      return { country, shapes, column: name, on: on.size };
    });
  });
  return scored.sort((a, b) => b.on - a.on).find((s) => s.on > 1);
}

export function ResultMap({ rows }: { rows: Rows }) {
  const map = useAsked(() => found(rows), [rows]);
  const numbers = rows.columns.filter((c) => rows.rows.some((row) => typeof row[c.name] === "number"));
  const [chosen, setChosen] = useState(numbers[0]?.name);
  if (map.problem) return <Trouble problem={map.problem} />;
  if (map.busy) return <p class="quiet">Looking for places …</p>;
  if (!map.value || !chosen) {
    return (
      <p class="quiet">
        No column has places that there is a map of (state, prefecture) beside one of numbers, as in{" "}
        <code>SELECT state, avg(age) AS mean_age FROM … GROUP BY state</code>.
      </p>
    );
  }
  const { column, country } = map.value;
  const values = new Map<string, number>();
  for (const row of rows.rows) {
    const value = row[chosen];
    if (typeof value === "number" && !values.has(String(row[column]))) values.set(String(row[column]), value);
  }
  return (
    <div class="result-map">
      <label class="inline">
        Shaded by
        <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
          {numbers.map((c) => (
            <option key={c.name}>{c.name}</option>
          ))}
        </select>
      </label>
      <Choropleth
        shapes={map.value.shapes}
        values={values}
        format={(n) => Number(n.toPrecision(4)).toLocaleString("en")}
        title={`${plain(chosen)} by ${plain(column)}, ${country.title}`}
      />
    </div>
  );
}
