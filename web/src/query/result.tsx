// What came of a statement: a table, a chart, a map.

import { useState } from "preact/hooks";
import type { Rows } from "../api";
import { Grid } from "../grid";
import { Choice, Trouble, useAsked } from "../ui";
import { ResultMap } from "./map";

const VIEWS = [
  ["table", "Table"],
  ["chart", "Chart"],
  ["map", "Map"],
] as const;

export function Result({ rows }: { rows: Rows }) {
  const [view, setView] = useState<"table" | "chart" | "map">("table");
  if (rows.columns.length === 0) return <p class="quiet">It is done.</p>;
  const download = () => {
    const cell = (value: unknown) => {
      const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const names = rows.columns.map((c) => c.name);
    const lines = [names.map(cell).join(","), ...rows.rows.map((row) => names.map((n) => cell(row[n])).join(","))];
    const url = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
    const a = Object.assign(document.createElement("a"), { href: url, download: "rows.csv" });
    a.click();
    URL.revokeObjectURL(url);
  };
  return (
    <section>
      <div class="heading">
        <Choice label="Shown as" options={VIEWS} value={view} onChange={setView} />
        <button type="button" class="small" onClick={download}>
          Download CSV
        </button>
      </div>
      {view === "table" && <Grid raw label="Rows" columns={rows.columns} total={rows.rows.length} row={(at) => rows.rows[at]} />}
      {view === "chart" && <Drawn rows={rows} />}
      {view === "map" && <ResultMap rows={rows} />}
    </section>
  );
}

/** Charts are drawn by a library, which is loaded with the first. */
function Drawn({ rows }: { rows: Rows }) {
  const loaded = useAsked(() => import("./chart"), []);
  const Chart = loaded.value?.Chart;
  return Chart ? <Chart rows={rows} /> : <Trouble problem={loaded.problem} />;
}
