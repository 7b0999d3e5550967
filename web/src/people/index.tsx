// Whom there is: a country, narrowed by facts, counted exactly, mapped, charted and drawn.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Country, type Variable, countries, variables } from "../api";
import type { ViewProps } from "../app";
import { go, link } from "../route";
import { condition, drawn } from "../sql";
import { Busy, Code, Trouble, useAsked, useSettled } from "../ui";
import { count, countryName, exactly, ofCountry, oneIn, share } from "../words";
import { Charts } from "./charts";
import { Facts } from "./facts";
import { Keep } from "./keep";
import { CountryMap } from "./map";
import { Drawn } from "./drawn";
import { Pyramid } from "./pyramid";
import { howMany } from "./shares";
import { type Selection, read, written } from "./selection";

const fresh = () => Math.floor(Math.random() * 1e6);

export function People(props: ViewProps) {
  const known = useAsked(() => countries(), []);
  const asked = props.route.query.get("country") ?? "usa";
  const country = known.value?.find((c) => c.name === asked) ?? known.value?.[0];
  const of = useAsked(country && (() => variables(country.name)), [country?.name]);
  return (
    <>
      <h1 class="hidden">People</h1>
      <Trouble problem={known.problem ?? of.problem} />
      {known.value && country && (
        <>
          <Countries all={known.value} chosen={country} />
          {of.value && <Asking key={country.name} {...props} country={country} variables={of.value} />}
        </>
      )}
    </>
  );
}

function Countries({ all, chosen }: { all: Country[]; chosen: Country }) {
  const at = useRef<HTMLDivElement>(null);
  // On a phone the one that is chosen may stand beyond the edge.
  useEffect(() => {
    const box = at.current;
    const one = box?.querySelector<HTMLElement>("[aria-current]");
    if (box && one) box.scrollLeft = one.offsetLeft + one.offsetWidth + 2 - box.offsetLeft - box.clientWidth;
  }, [chosen.name]);
  return (
    <div class="countries" role="group" aria-label="Country" ref={at}>
      {all.map((c) => (
        <a key={c.name} href={link(["people"], { country: c.name })} aria-current={c === chosen ? "true" : undefined}>
          <b>{countryName(c.name)}</b>
          <span>{count(c.people)}</span>
        </a>
      ))}
    </div>
  );
}

function Asking({ route, self, signIn, country, variables }: ViewProps & { country: Country; variables: Variable[] }) {
  const text = route.query.toString();
  const selection = useMemo(() => read(route.query, variables), [text]);
  // A drawn person stays who it is until others are asked for.
  const [first] = useState(fresh);
  const seed = selection.seed ?? first;
  const change = (to: Partial<Selection>) =>
    go(["people"], written(country.name, { ...selection, ...to }), true);
  const given = useSettled(condition(selection.facts, selection.also), 200);
  const counted = useAsked((signal) => howMany(country, given, signal), [given]);
  const there = counted.value;
  const nobody = there?.probability === 0;
  const statement = drawn(country.name, 6, seed, given);
  const [keeping, setKeeping] = useState(false);

  return (
    <div class="asking">
      <Facts country={country} variables={variables} selection={selection} onChange={change} problem={counted.problem} />
      <div class="found">
        <section class="count" aria-live="polite">
          {there && !counted.problem && (
            <>
              <p class="number">
                {given ? count(there.people) : exactly(Math.round(country.people))}
                <Busy is={counted.busy} what="counting" />
              </p>
              <p>
                {given ? (
                  <>
                    people are expected among the {count(country.people)} of {ofCountry(country.name)}: <b>{share(there.probability)}</b>,{" "}
                    {nobody ? "nobody satisfies all of it" : oneIn(there.probability)}.{" "}
                    <span class="quiet nowrap" title="The exact share, by the country's network">
                      P = {there.probability.toPrecision(6)}
                    </span>
                  </>
                ) : (
                  <>
                    {country.universe}, {country.year}. Choose facts to narrow them: every number is exact, by the
                    network that was fitted to official figures.
                  </>
                )}
              </p>
            </>
          )}
          {!there && !counted.problem && <p class="number quiet">…</p>}
          {counted.problem && <p class="quiet">These facts cannot be asked for as they stand.</p>}
        </section>
        {there && !nobody && !counted.problem && (
          <>
            <div class="pair">
              <CountryMap country={country} given={given} probability={there.probability} selection={selection} onChange={change} />
              <Pyramid country={country} variables={variables} given={given} />
            </div>
            <Charts country={country} variables={variables} given={given} facts={selection.facts} />
            <Drawn
              country={country}
              statement={statement}
              variables={variables}
              onOthers={() => change({ seed: fresh() })}
              onKeep={() => setKeeping(true)}
            />
            <section>
              <h2>The SQL that draws them</h2>
              <Code text={statement}>
                <a class="button small" href={link(["query"], { sql: statement })}>
                  Open in Query
                </a>
              </Code>
            </section>
          </>
        )}
      </div>
      {keeping && (
        <Keep country={country} given={given} seed={seed} self={self} signIn={signIn} onClose={() => setKeeping(false)} />
      )}
    </div>
  );
}
