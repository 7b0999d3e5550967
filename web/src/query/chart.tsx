// Rows as a chart.

import { barX, dot, gridX, gridY, lineY, plot, ruleX, ruleY } from "@observablehq/plot";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Row, Rows } from "../api";
import { plain } from "../words";

type Mark = "bars" | "line" | "dots";

/** So many bars are drawn at most. */
const BARS = 60;

export function Chart({ rows }: { rows: Rows }) {
  const place = useRef<HTMLDivElement>(null);
  const of = (name: string) => rows.rows.find((row) => row[name] !== null)?.[name];
  const numbers = rows.columns.filter((c) => typeof of(c.name) === "number").map((c) => c.name);
  const able = rows.columns.filter((c) => ["string", "number", "boolean"].includes(typeof of(c.name))).map((c) => c.name);
  const words = able.filter((name) => !numbers.includes(name));
  const [x, setX] = useState(words[0] ?? numbers[0] ?? "");
  const [y, setY] = useState(numbers.find((name) => name !== (words[0] ?? numbers[0])) ?? numbers[0] ?? "");
  const [mark, setMark] = useState<Mark>(words.length ? "bars" : rows.rows.length > 400 ? "dots" : "line");
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(() => setWidth(place.current?.clientWidth ?? 0));
    if (place.current) observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (!place.current || !width || !x || !y) return;
    const drawn = chart(rows.rows, x, y, mark, Math.min(width, 960));
    // The page's policy lets no style be added; the style sheet has what these would say.
    for (const style of drawn.querySelectorAll("style")) style.remove();
    // It is one picture, whose label tells what it is of.
    for (const part of drawn.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
    place.current.replaceChildren(drawn);
  }, [rows, x, y, mark, width]);
  if (!numbers.length) return <p class="quiet">A chart takes a column of numbers.</p>;
  const choose = (label: string, value: string, names: string[], set: (to: string) => void) => (
    <label class="inline">
      {label}
      <select value={value} onChange={(event) => set(event.currentTarget.value)}>
        {names.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
  return (
    <figure class="chart">
      <div class="actions">
        <label class="inline">
          As
          <select value={mark} onChange={(event) => setMark(event.currentTarget.value as Mark)}>
            <option value="bars">bars</option>
            <option value="line">a line</option>
            <option value="dots">dots</option>
          </select>
        </label>
        {choose("of", y, numbers, setY)}
        {choose("by", x, able, setX)}
      </div>
      <div ref={place} role="img" aria-label={`${plain(y)} by ${plain(x)}; the table has the numbers`} />
      {mark === "bars" && rows.rows.length > BARS && <p class="quiet small">The first {BARS} rows are drawn.</p>}
    </figure>
  );
}

function chart(rows: Row[], x: string, y: string, mark: Mark, width: number): Element {
  const style = { fontFamily: "inherit", fontSize: "12px", background: "transparent", color: "inherit", overflow: "visible" };
  const common = { width, style, marginLeft: 60 };
  if (mark === "bars") {
    const shown = rows.slice(0, BARS);
    const longest = Math.max(...shown.map((row) => String(row[x]).length));
    return plot({
      ...common,
      marginLeft: Math.min(width / 2.5, 24 + longest * 6.8),
      height: 80 + shown.length * 22,
      marginBottom: 44,
      x: { label: plain(y), zero: true },
      y: { label: null, domain: shown.map((row) => String(row[x])), type: "band" },
      marks: [
        gridX({ stroke: "var(--line)", strokeOpacity: 1 }),
        barX(shown, { x: y, y: (row: Row) => String(row[x]), fill: "var(--table)", fillOpacity: 0.8, title: (row: Row) => `${row[x]}: ${row[y]}` }),
        ruleX([0], { stroke: "var(--soft)" }),
      ],
    });
  }
  const points = rows.filter((row) => row[x] !== null && row[y] !== null);
  const isWords = typeof points[0]?.[x] === "string";
  return plot({
    ...common,
    height: 380,
    x: { label: plain(x), ...(isWords && { type: "point" as const, tickRotate: -30 }) },
    y: { label: plain(y) },
    ...(isWords && { marginBottom: 80 }),
    marks: [
      gridY({ stroke: "var(--line)", strokeOpacity: 1 }),
      mark === "line"
        ? lineY(points, { x, y, stroke: "var(--table)", ...(!isWords && { sort: x }) })
        : dot(points, { x, y, stroke: "var(--table)", fill: "var(--table)", fillOpacity: 0.25, r: 3 }),
      ruleY([]),
    ],
  });
}
