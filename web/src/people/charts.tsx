// What they are: the shares of some variables, each beside that of the whole population.

import { useState } from "preact/hooks";
import { type Country, type Level, type Variable, levels } from "../api";
import type { Facts } from "../sql";
import { Busy, Trouble, useAsked } from "../ui";
import { plain, share, title } from "../words";
import { label } from "./facts";
import { byLevel, strata } from "./shares";

/** What is shown first, where a country has it. */
const FIRST = [
  "education_level", "labour_status", "occupation_group", "occupation_class", "occupation_division", "worker_category",
  "marital_status", "race_ethnicity", "race", "ethnicity", "religion", "household_type", "living_arrangement",
  "employment_type", "industry",
];

/** So many bars at most; the others are one. */
const BARS = 8;

interface Props {
  country: Country;
  variables: Variable[];
  given: string | undefined;
  facts: Facts;
}

export function Charts(props: Props) {
  const { variables, facts } = props;
  const able = variables.filter((v) => !v.range && v.levels > 1 && v.levels <= 700 && !v.name.endsWith("_code"));
  const ranked = FIRST.filter((name) => able.some((v) => v.name === name));
  // What was narrowed to is no news.
  const first = [...ranked.filter((name) => !(name in facts)), ...ranked.filter((name) => name in facts)].slice(0, 4);
  const [chosen, setChosen] = useState<Record<number, string>>({});
  return (
    <section>
      <div class="heading">
        <h2>What they are</h2>
        {props.given && (
          <span class="key" aria-hidden="true">
            <i class="these" /> these people <i class="tick" /> everybody
          </span>
        )}
      </div>
      <div class="charts">
        {first.map((name, at) => {
          const of = chosen[at] ?? name;
          return (
            <Bars key={`${at} ${of}`} {...props} variable={of}>
              <select
                aria-label={`What chart ${at + 1} is of`}
                value={of}
                onChange={(event) => setChosen({ ...chosen, [at]: event.currentTarget.value })}
              >
                {able.map((v) => (
                  <option key={v.name} value={v.name}>
                    {title(v.name)}
                  </option>
                ))}
              </select>
            </Bars>
          );
        })}
      </div>
    </section>
  );
}

function Bars({ country, given, variable, children }: Props & { variable: string; children: preact.ComponentChildren }) {
  const whole = useAsked(() => levels(country.name, variable, 1000), [variable]);
  const found = useAsked(given ? (signal) => strata(country, variable, given, signal) : undefined, [variable, given]);
  const of = given ? found.value && byLevel(found.value, variable) : new Map(whole.value?.map((l) => [l.level, l.share]));
  const all = whole.value ?? [];
  const here = (l: Level) => of?.get(l.level) ?? 0;
  const sorted = [...all].sort((a, b) => here(b) - here(a));
  const [shown, rest] = all.length > BARS + 1 ? [sorted.slice(0, BARS), sorted.slice(BARS)] : [sorted, []];
  const sum = (part: Level[], by: (l: Level) => number) => part.reduce((total, l) => total + by(l), 0);
  const rows = [
    ...shown.map((l) => ({ key: l.level ?? "∅", name: label(l), here: here(l), all: l.share })),
    ...(rest.length ? [{ key: "…", name: `${rest.length} others`, here: sum(rest, here), all: sum(rest, (l) => l.share) }] : []),
  ];
  const most = Math.max(...rows.map((r) => Math.max(r.here, given ? r.all : 0)), 0.0001);
  return (
    <figure class="bars">
      <div class="heading">
        {children}
        <Busy is={whole.busy || found.busy} />
      </div>
      <Trouble problem={whole.problem ?? found.problem} />
      {of && (
        <table>
          <caption class="hidden">Shares by {plain(variable)}</caption>
          <thead class="hidden">
            <tr>
              <th scope="col">{plain(variable)}</th>
              <th scope="col">share</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.key}>
                <th scope="row" title={row.name}>
                  {row.name}
                </th>
                <td title={given ? `${share(row.here)}; of everybody ${share(row.all)}` : share(row.here)}>
                  <span class="track">
                    <i class="bar" style={{ width: `${(100 * row.here) / most}%` }} />
                    {given && <i class="mark" style={{ left: `${(100 * row.all) / most}%` }} />}
                  </span>
                  <span class="figure">{share(row.here)}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </figure>
  );
}
