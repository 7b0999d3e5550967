// Where they are: a map shaded by them, and the places with most of them as a list.

import { useState } from "preact/hooks";
import { type Country, type Level, levels } from "../api";
import { Choropleth } from "../choropleth";
import { shapes } from "../map";
import { Busy, Choice, Trouble, useAsked } from "../ui";
import { count, plain, share } from "../words";
import { label } from "./facts";
import type { Selection } from "./selection";
import { byLevel, strata } from "./shares";

interface Props {
  country: Country;
  given: string | undefined;
  probability: number;
  selection: Selection;
  onChange: (to: Partial<Selection>) => void;
}

/** What the places of a country without a map are. */
const PLACES: Record<string, string> = { singapore: "planning_area" };

export function CountryMap({ country, given, probability, selection, onChange }: Props) {
  const variable = country.map ?? PLACES[country.name];
  const drawn = useAsked(country.map ? () => shapes(country) : undefined, [country.name]);
  const whole = useAsked(variable ? () => levels(country.name, variable, 100) : undefined, [country.name]);
  const found = useAsked(variable ? (signal) => strata(country, variable, given, signal) : undefined, [given]);
  const [shown, setShown] = useState<"rate" | "number">();
  if (!variable) return null;
  const by = shown ?? (given ? "rate" : "number");
  const within = found.value && byLevel(found.value, variable);
  const people = whole.value ?? [];
  // How many there are in a place, or which part of its people they are.
  const value = (level: Level) => {
    const here = (within?.get(level.level) ?? 0) * probability;
    return by === "number" ? here * country.people : level.share > 0 ? here / level.share : 0;
  };
  const values = new Map(within ? people.map((l) => [String(l.level), value(l)] as const) : []);
  const format = by === "number" ? count : share;
  const fact = selection.facts[variable];
  const chosen = fact && "levels" in fact ? fact.levels : [];
  const choose = (level: string) => {
    const others = { ...selection.facts };
    const to = chosen.includes(level) ? chosen.filter((c) => c !== level) : [...chosen, level];
    if (to.length) others[variable] = { levels: to };
    else delete others[variable];
    onChange({ facts: others });
  };
  const names = new Map(drawn.value?.places.map((p) => [p.level, p.name]));
  const named = (l: Level) => l.label ?? names.get(String(l.level)) ?? label(l);
  const top = [...people].sort((a, b) => value(b) - value(a)).slice(0, country.map ? 6 : 14);
  const most = Math.max(...top.map(value), 0);
  const title = by === "number" ? "how many live there" : "their share of those who live there";
  return (
    <section class="where">
      <div class="heading">
        <h2>
          Where <Busy is={found.busy} />
        </h2>
        <Choice
          label="What is shown"
          options={[
            ["number", "How many"],
            ["rate", "Share there"],
          ]}
          value={by}
          onChange={setShown}
        />
      </div>
      <Trouble problem={drawn.problem ?? whole.problem ?? found.problem} />
      {drawn.value && within && (
        <Choropleth shapes={drawn.value} values={values} format={format} title={title} chosen={chosen} onChoose={choose} />
      )}
      {within && (
        <ol class="ranked" aria-label={`${plain(variable)}: ${title}`}>
          {top.map((l) => (
            <li key={l.level}>
              <button type="button" class="rank" aria-pressed={chosen.includes(l.level)} onClick={() => choose(String(l.level))}>
                <span>{named(l)}</span>
                <i class="bar" style={{ width: `${most > 0 ? (100 * value(l)) / most : 0}%` }} />
                <span class="figure">{format(value(l))}</span>
              </button>
            </li>
          ))}
        </ol>
      )}
      {drawn.value && (
        <p class="quiet small source">
          Map: {drawn.value.source}; {drawn.value.licence}
        </p>
      )}
      {!country.map && <p class="quiet small">There is no openly licensed map of its planning areas here.</p>}
    </section>
  );
}
