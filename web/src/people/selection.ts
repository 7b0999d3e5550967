// What was chosen, as the address has it: `state=CA&state=NV&age=30..45&given=occupation+LIKE+'%25engineer%25'`.

import type { Variable } from "../api";
import type { Facts } from "../sql";

export interface Selection {
  facts: Facts;
  /** A condition in SQL, beside the facts */
  also: string;
  seed?: number;
}

/** How a level that is NULL is written. */
const NONE = "∅";

export function read(query: URLSearchParams, variables: Variable[]): Selection {
  const facts: Facts = {};
  for (const name of new Set(query.keys())) {
    const variable = variables.find((v) => v.name === name);
    if (!variable) continue;
    if (variable.range) {
      const [, from, to] = /^(-?\d*)\.\.(-?\d*)$/.exec(query.get(name) ?? "") ?? [];
      facts[name] = { ...(from && { from: Number(from) }), ...(to && { to: Number(to) }) };
    } else {
      facts[name] = { levels: query.getAll(name).map((level) => (level === NONE ? null : level)) };
    }
  }
  const seed = Number(query.get("seed") ?? NaN);
  return { facts, also: query.get("given") ?? "", ...(Number.isSafeInteger(seed) && seed >= 0 && { seed }) };
}

export function written(country: string, { facts, also, seed }: Selection): URLSearchParams {
  const query = new URLSearchParams({ country });
  for (const [name, fact] of Object.entries(facts)) {
    if ("levels" in fact) fact.levels.forEach((level) => query.append(name, level ?? NONE));
    else if (fact.from !== undefined || fact.to !== undefined) query.append(name, `${fact.from ?? ""}..${fact.to ?? ""}`);
  }
  if (also.trim()) query.set("given", also);
  if (seed !== undefined) query.set("seed", String(seed));
  return query;
}
