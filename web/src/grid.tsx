// A table of as many rows as there are, of which those are made that are seen.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Column, Row, Value } from "./api";
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

/** The height of a row, as the style sheet has it. */
const ROW = 34;

/** No element may be higher, in any browser; of more rows, the bar moves by more than one. */
const HIGHEST = 8_000_000;

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
  const [top, setTop] = useState(0);
  const [seen, setSeen] = useState(20);
  const [focused, setFocused] = useState(0);
  useLayoutEffect(() => {
    const box = at.current;
    if (!box) return;
    const measure = () => setSeen(Math.ceil(box.clientHeight / ROW));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  const whole = total * ROW;
  const high = Math.min(whole, HIGHEST);
  const exact = whole <= HIGHEST;
  const way = Math.max(1, high - seen * ROW);
  const first = exact
    ? Math.max(0, Math.floor(top / ROW) - BEYOND)
    : Math.min(Math.max(0, total - seen), Math.floor((top / way) * (total - seen)));
  const last = Math.min(total, first + seen + (exact ? 2 * BEYOND : 2));
  const above = exact ? first * ROW : top;
  useEffect(() => onSee?.(first, last), [first, last, total, onSee]);
  const reveal = (to: number) => {
    const box = at.current;
    const next = Math.min(total - 1, Math.max(0, to));
    setFocused(next);
    if (!box) return;
    const head = ROW;
    if (exact && next * ROW < box.scrollTop) box.scrollTop = next * ROW;
    else if (exact && (next + 1) * ROW + head > box.scrollTop + box.clientHeight) {
      box.scrollTop = (next + 1) * ROW + head - box.clientHeight;
    } else if (!exact && (next < first || next >= last)) box.scrollTop = (next / Math.max(1, total - seen)) * way;
  };
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: seen - 2, PageUp: 2 - seen, Home: -total, End: total };
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
    <div class="grid" ref={at} tabIndex={0} role="region" aria-label={label} style={{ maxHeight: height ?? "70vh" }}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)} onKeyDown={key}>
      <table aria-rowcount={total + 1} aria-colcount={columns.length}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col" class="at">#</th>
            {columns.map((column) => (
              <th key={column.name} scope="col" class={isNumber(column) ? "number" : ""} title={column.type}>
                {raw ? column.name : plain(column.name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {above > 0 && <tr class="space" aria-hidden="true" style={{ height: `${above}px` }} />}
          {Array.from({ length: Math.max(0, last - first) }, (_, i) => {
            const place = first + i;
            const of = row(place);
            return (
              <tr
                key={place}
                aria-rowindex={place + 2}
                class={`${onOpen ? "able" : ""}${place === focused ? " focused" : ""}`}
                onClick={() => {
                  setFocused(place);
                  if (of) onOpen?.(of);
                }}
              >
                <td class="at">{place + 1}</td>
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
          {high - above - (last - first) * ROW > 0 && (
            <tr class="space" aria-hidden="true" style={{ height: `${high - above - (last - first) * ROW}px` }} />
          )}
        </tbody>
      </table>
    </div>
  );
}
