// A map shaded by a number for each place.

import { useState } from "preact/hooks";
import type { Shapes } from "./map";

interface Props {
  shapes: Shapes;
  /** By level; nothing where nothing is known */
  values: Map<string, number>;
  format: (value: number) => string;
  /** What the numbers are */
  title: string;
  chosen?: (string | null)[];
  onChoose?: (level: string) => void;
}

/** How deep a shade is, in percent of the full colour: from a trace of it for the least. */
const shade = (t: number) => `color-mix(in oklab, var(--deep) ${Math.round(8 + 92 * t)}%, var(--wash))`;

export function Choropleth({ shapes, values, format, title, chosen = [], onChoose }: Props) {
  const [over, setOver] = useState<string>();
  const all = [...values.values()].filter(Number.isFinite);
  // One place that is far above all others would leave these without a difference.
  const sorted = all.sort((a, b) => a - b);
  const [least = 0, largest = 0] = [sorted[0], sorted.at(-1)];
  const most = sorted[Math.ceil(sorted.length * 0.96) - 1] ?? largest;
  const at = (value: number) => (most > least ? Math.min(1, (value - least) / (most - least)) : 0.5);
  const place = shapes.places.find((p) => p.level === over);
  const value = place && values.get(place.level);
  const top = shapes.places.filter((p) => values.has(p.level)).sort((a, b) => (values.get(b.level) ?? 0) - (values.get(a.level) ?? 0));
  const said = top.slice(0, 3).map((p) => `${p.name} ${format(values.get(p.level) ?? 0)}`).join(", ");
  return (
    <figure class="map">
      <svg
        viewBox={`0 0 ${shapes.width} ${shapes.height}`}
        role="img"
        aria-label={`Map of ${title}. Most: ${said}`}
        onPointerLeave={() => setOver(undefined)}
      >
        {shapes.places.map((p) => {
          const v = values.get(p.level);
          return (
            <path
              key={p.level}
              d={p.path}
              class={`${chosen.includes(p.level) ? "chosen" : ""}${onChoose ? " able" : ""}`}
              style={{ fill: v === undefined ? "var(--wash)" : shade(at(v)) }}
              onPointerEnter={() => setOver(p.level)}
              onClick={() => onChoose?.(p.level)}
            />
          );
        })}
        {place && <path d={place.path} class="over" />}
      </svg>
      <figcaption>
        <span class="legend" aria-hidden="true">
          <span>{format(least)}</span>
          <i />
          <span>
            {format(most)}
            {largest > most && " and more"}
          </span>
        </span>
        <span class="reading">{place ? <><b>{place.name}</b> {value === undefined ? "—" : format(value)}</> : title}</span>
      </figcaption>
    </figure>
  );
}
