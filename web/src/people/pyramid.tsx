// How old they are: each sex by years, beside the whole population.

import { useState } from "preact/hooks";
import { type Country, type Row, type Variable, levels } from "../api";
import { Busy, Trouble, useAsked } from "../ui";
import { share } from "../words";
import { label } from "./facts";
import { strata } from "./shares";

/** Shares by age, of each of two sexes. */
type Sides = [Map<number, number>, Map<number, number>];

function sides(rows: Row[], sexes: string[]): Sides {
  const of = (sex: string | undefined) =>
    new Map(rows.filter((r) => r["sex"] === sex).map((r) => [Number(r["age"]), Number(r["expected_share"])]));
  return [of(sexes[0]), of(sexes[1])];
}

const [WIDTH, HEIGHT, MIDDLE] = [420, 300, 34];

export function Pyramid({ country, variables, given }: { country: Country; variables: Variable[]; given: string | undefined }) {
  const range = variables.find((v) => v.name === "age")?.range;
  const sexes = useAsked(() => levels(country.name, "sex"), [country.name]);
  const whole = useAsked((signal) => strata(country, "age, sex", undefined, signal), [country.name]);
  const found = useAsked((signal) => strata(country, "age, sex", given, signal), [given]);
  const [over, setOver] = useState<number>();
  if (!range) return null;
  const [min, max] = range;
  // The order of the levels would change with what is most frequent.
  const named = [...(sexes.value ?? [])].sort((a, b) => order(a.level) - order(b.level));
  const names = named.map((l) => String(l.level));
  const [all, these] = [whole.value && sides(whole.value, names), found.value && sides(found.value, names)];
  const years = max - min + 1;
  // Whoever is as old as the oldest or older stands at one age: it is not drawn as a peak.
  const most = Math.max(
    0.0001,
    ...[all, these].flatMap((s) => (s ?? []).flatMap((m) => [...m].filter(([age]) => age < max).map(([, v]) => v))),
  );
  const half = (WIDTH - MIDDLE) / 2;
  const y = (age: number) => HEIGHT - ((age - min) / years) * HEIGHT;
  const edge = (values: Map<number, number>, side: -1 | 1) => {
    const x = (age: number) => WIDTH / 2 + side * (MIDDLE / 2 + (Math.min(values.get(age) ?? 0, most) / most) * half);
    const steps = Array.from({ length: years }, (_, i) => `V${y(min + i).toFixed(1)}H${x(min + i).toFixed(1)}`);
    const base = WIDTH / 2 + (side * MIDDLE) / 2;
    return `M${base},${HEIGHT}${steps.join("")}V0H${base}`;
  };
  const at = (event: PointerEvent) => {
    const box = (event.currentTarget as SVGElement).getBoundingClientRect();
    const age = min + Math.floor((1 - (event.clientY - box.top) / box.height) * years);
    setOver(Math.min(max, Math.max(min, age)));
  };
  const of = (s: Sides | undefined, side: 0 | 1) => share(s?.[side].get(over ?? min) ?? 0);
  const mean = (s: Sides) => {
    const each = s.flatMap((m) => [...m]);
    return each.reduce((sum, [age, v]) => sum + age * v, 0) / each.reduce((sum, [, v]) => sum + v, 0);
  };
  const ages = [20, 30, 40, 50, 60, 70, 80, 90].filter((age) => age > min && age < max);
  const [left, right] = named.map((l) => label(l));
  const parts = these?.map((m) => [...m.values()].reduce((a, b) => a + b, 0)) ?? [];
  return (
    <section class="pyramid">
      <div class="heading">
        <h2>
          Ages <Busy is={found.busy} />
        </h2>
        <span class="key" aria-hidden="true">
          <i class="these" /> {given ? "these people" : "everybody"}
          {given && (
            <>
              <i class="all" /> everybody
            </>
          )}
        </span>
      </div>
      <Trouble problem={sexes.problem ?? whole.problem ?? found.problem} />
      {all && these && left && right && (
        <figure>
          <div class="sexes">
            <span>
              {left} {share(parts[0] ?? 0)}
            </span>
            <span>
              {right} {share(parts[1] ?? 0)}
            </span>
          </div>
          <svg
            viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
            role="img"
            aria-label={`Ages: mean ${mean(these).toFixed(1)}${given ? `, of everybody ${mean(all).toFixed(1)}` : ""}; ${left} ${share(parts[0] ?? 0)}, ${right} ${share(parts[1] ?? 0)}`}
            onPointerMove={at}
            onPointerLeave={() => setOver(undefined)}
          >
            {([0, 1] as const).map((side) => (
              <path key={side} class={`side side-${side}`} d={edge(these[side], side ? 1 : -1)} />
            ))}
            {given && ([0, 1] as const).map((side) => <path key={side} class="outline" d={edge(all[side], side ? 1 : -1)} />)}
            {ages.map((age) => (
              <text key={age} x={WIDTH / 2} y={y(age) + 4}>
                {age}
              </text>
            ))}
            {over !== undefined && <rect class="line" x={0} width={WIDTH} y={y(over + 1)} height={HEIGHT / years} />}
          </svg>
          <figcaption class="reading">
            {over === undefined ? (
              <>
                Mean age {mean(these).toFixed(1)}
                {given && <span class="quiet"> · of everybody {mean(all).toFixed(1)}</span>}
              </>
            ) : (
              <>
                <b>{over === max ? `${over} and over` : over}</b> {left} {of(these, 0)}, {right} {of(these, 1)}
                {given && (
                  <span class="quiet">
                    {" "}
                    · of everybody {of(all, 0)}, {of(all, 1)}
                  </span>
                )}
              </>
            )}
          </figcaption>
        </figure>
      )}
    </section>
  );
}

/** Men on the left, as pyramids have them. */
const order = (level: string | null) => (/^(male|masculino|男)/i.test(level ?? "") ? 0 : 1);
