// Exact shares, by the country's network.

import { type Country, type Row, ask, sql } from "../api";
import { shares } from "../sql";

export interface HowMany {
  probability: number;
  people: number;
}

/** How many people there are of whom something holds. */
export async function howMany(country: Country, given: string | undefined, signal: AbortSignal): Promise<HowMany> {
  if (given === undefined) return { probability: 1, people: country.people };
  return ask<HowMany>("/v1/probability", { body: { country: country.name, given }, signal });
}

const ofAll = new Map<string, Promise<Row[]>>();

/** The strata of a country's people, each with its `expected_share`; those of everybody are asked for once. */
export async function strata(country: Country, by: string, given: string | undefined, signal: AbortSignal): Promise<Row[]> {
  if (given !== undefined) return (await sql(shares(country.name, by, given), signal)).rows;
  const key = `${country.pack} ${by}`;
  let known = ofAll.get(key);
  if (!known) {
    known = sql(shares(country.name, by, undefined)).then((rows) => rows.rows);
    known.catch(() => ofAll.delete(key));
    ofAll.set(key, known);
  }
  return known;
}

/** Shares by the levels of a variable. */
export function byLevel(rows: Row[], variable: string): Map<string | null, number> {
  return new Map(rows.map((row) => [row[variable] === null ? null : String(row[variable]), Number(row["expected_share"])]));
}
