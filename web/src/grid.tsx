// A table of as many rows as there are, of which those are made that are seen.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Column, Row, Value } from "./api";
import { type Place, ROW, Way } from "./scroll";
import { plain } from "./words";

interface Props {
  columns: Column[];
  total: number;
  /** A row by its place; nothing while it is on its way */
  row: (at: number) => Row | undefined;
  /** Called with the first and the last row that are seen */
  onSee?: (first: number, last: number) => void;
  onOpen?: (row: Row) => void;
  label: string;
  height?: string;
  /** Whether columns are called as they are in SQL */
  raw?: boolean;
}

/** After so long without a move, in milliseconds, the bar stands where it should. */
const STILL = 250;

/** Rows beyond what is seen, on either side. */
const BEYOND = 8;

export function cell(value: Value | undefined): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.length > 20 ? `${value.length} values` : value.map(cell).join(", ");
  if (typeof value === "object") return JSON.stringify(value);
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  return String(value);
}

const isNumber = (column: Column) => /^(U?Int|Float|Decimal)/.test(column.type);

export function Grid({ columns, total, row, onSee, onOpen, label, height, raw }: Props) {
  const at = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState<Place>({ top: 0, y: 0 });
  const [view, setView] = useState(20 * ROW);
  const [focused, setFocused] = useState(0);
  useLayoutEffect(() => {
    const box = at.current;
    if (!box) return;
    // The head takes the place of a row.
    const measure = () => setView(Math.max(ROW, box.clientHeight - ROW));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  // A column stays as wide as it has been: it would jump with what is seen of it.
  const widths = useRef(new Map<string, number>());
  useLayoutEffect(() => {
    const heads = at.current?.querySelectorAll("th") ?? [];
    columns.forEach(({ name }, column) => {
      widths.current.set(name, Math.max(widths.current.get(name) ?? 0, heads[column + 1]?.offsetWidth ?? 0));
    });
  });
  const way = new Way(total, view);
  const { top, y } = place;
  const first = Math.max(0, Math.floor(y / ROW) - BEYOND);
  const last = Math.min(total, Math.ceil((y + view) / ROW) + BEYOND);
  const above = Math.max(0, top - (y - first * ROW));
  const below = way.high - above - (last - first) * ROW;
  useEffect(() => onSee?.(first, last), [first, last, total, onSee]);
  const move = (to: Place) => {
    setPlace(to);
    if (at.current) at.current.scrollTop = to.top;
  };
  // Whoever is at the end stays there, also when a bar comes below the rows.
  const isAtEnd = useRef(false);
  useLayoutEffect(() => {
    if (isAtEnd.current) move(way.at(Infinity));
  }, [view]);
  useEffect(() => {
    isAtEnd.current = y > 0 && y >= way.at(Infinity).y - 1;
  });
  useEffect(() => {
    const right = way.at(y);
    if (Math.abs(right.top - top) < 1) return;
    if (way.isStuck(place)) return move(right);
    const later = setTimeout(() => move(right), STILL);
    return () => clearTimeout(later);
  }, [top, y, total, view]);
  // Whoever does not see which row the keys have come to is told of it.
  const [isByKeys, setByKeys] = useState(false);
  const said = isByKeys && row(focused);
  const reveal = (to: number) => {
    setByKeys(true);
    const next = Math.min(total - 1, Math.max(0, to));
    setFocused(next);
    if (next * ROW < y) move(way.at(next * ROW));
    else if ((next + 1) * ROW > y + view) move(way.at((next + 1) * ROW - view));
  };
  const page = Math.max(1, Math.floor(view / ROW) - 1);
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -total, End: total };
  const key = (event: KeyboardEvent) => {
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      reveal(focused + step);
    } else if (event.key === "Enter") {
      const chosen = row(focused);
      if (chosen) onOpen?.(chosen);
    }
  };
  return (
    <>
      <p class="hidden" aria-live="polite">
        {said && `Row ${focused + 1} of ${total}: ${columns.slice(0, 6).map((c) => cell(said[c.name])).filter(Boolean).join(", ")}`}
      </p>
      <div class="grid" ref={at} tabIndex={0} role="region" aria-label={label} style={{ maxHeight: height ?? "70vh" }}
        onScroll={(event) => {
          const to = event.currentTarget.scrollTop;
          setPlace((before) => way.scrolled(before, to));
        }}
        onKeyDown={key}>
        <table aria-rowcount={total + 1} aria-colcount={columns.length}>
          <thead>
            <tr aria-rowindex={1}>
              <th scope="col" class="at" style={{ minWidth: `${String(total).length + 3}ch` }}>#</th>
              {columns.map((column) => (
                <th key={column.name} scope="col" class={isNumber(column) ? "number" : ""} title={column.type} style={{ minWidth: `${widths.current.get(column.name) ?? 0}px` }}>
                  {raw ? column.name : plain(column.name)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {above > 0 && <tr class="space" aria-hidden="true" style={{ height: `${above}px` }} />}
            {Array.from({ length: Math.max(0, last - first) }, (_, i) => {
              const index = first + i;
              const of = row(index);
              return (
                <tr
                  key={index}
                  aria-rowindex={index + 2}
                  class={`${onOpen ? "able" : ""}${index === focused ? " focused" : ""}`}
                  onClick={() => {
                    setFocused(index);
                    if (of) onOpen?.(of);
                  }}
                >
                  <td class="at">{index + 1}</td>
                  {columns.map((column) => {
                    const text = of ? cell(of[column.name]) : "…";
                    return (
                      <td key={column.name} class={isNumber(column) ? "number" : ""}>
                        {text.length > 90 ? `${text.slice(0, 90)} …` : text}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
            {below > 0 && <tr class="space" aria-hidden="true" style={{ height: `${below}px` }} />}
          </tbody>
        </table>
      </div>
    </>
  );
}
