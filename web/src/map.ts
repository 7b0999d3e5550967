// Maps: shapes for the levels of a variable, as they lie on the page.

import { feature } from "topojson-client";
import type { Topology } from "topojson-specification";
import { type Country, once } from "./api";

export interface Place {
  level: string;
  name: string;
  path: string;
  /** The middle of its largest part */
  at: [number, number];
}

export interface Shapes {
  width: number;
  height: number;
  places: Place[];
  source: string;
  licence: string;
}

type File = Topology & { source: string; licence: string };

/** The map of a country that has one. */
export async function shapes(country: Country): Promise<Shapes> {
  const file = await once<File>(`/v1/countries/${country.name}/map`);
  const of = file.objects[country.map ?? ""];
  const [, , width = 1, height = 1] = file.bbox ?? [];
  const found = of ? feature(file, of) : undefined;
  const features = found && "features" in found ? found.features : [];
  const places = features.map(({ geometry, properties }) => {
    const polygons =
      geometry.type === "MultiPolygon" ? geometry.coordinates : geometry.type === "Polygon" ? [geometry.coordinates] : [];
    const rings = polygons.flat();
    const path = rings.map((ring) => `M${ring.map(([x = 0, y = 0]) => `${round(x)},${round(y)}`).join("L")}Z`).join("");
    const largest = rings.reduce((a, b) => (spread(b) > spread(a) ? b : a), rings[0] ?? []);
    const middle = (axis: 0 | 1) => {
      const all = largest.map((point) => point[axis] ?? 0);
      return (Math.min(...all) + Math.max(...all)) / 2;
    };
    return {
      level: String(properties?.["level"]),
      name: String(properties?.["name"]),
      path,
      at: [middle(0), middle(1)] as [number, number],
    };
  });
  return { width, height, places, source: file.source, licence: file.licence };
}

const round = (n: number) => Math.round(n * 10) / 10;

function spread(ring: number[][]): number {
  const of = (axis: 0 | 1) => {
    const all = ring.map((point) => point[axis] ?? 0);
    return Math.max(...all) - Math.min(...all);
  };
  return ring.length ? of(0) * of(1) : 0;
}
