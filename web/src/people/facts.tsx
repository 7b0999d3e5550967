// The facts to choose from: levels in lists, numbers in ranges, and a condition in SQL for all else.

import { useState } from "preact/hooks";
import { type Country, type Level, type Problem, type Variable, levels } from "../api";
import type { Fact } from "../sql";
import { Trouble, useAsked, useSettled } from "../ui";
import { plain, share, title } from "../words";
import type { Selection } from "./selection";

interface Props {
  country: Country;
  variables: Variable[];
  selection: Selection;
  onChange: (to: Partial<Selection>) => void;
  problem: Problem | undefined;
}

/** What most are asked by, in this order; the others come as the pack has them. */
const FIRST = ["age", "sex", "state", "prefecture", "planning_area", "education_level", "occupation", "marital_status", "labour_status"];

const rank = (v: Variable) => (FIRST.indexOf(v.name) + 1 || FIRST.length + 1);

/** A level as people read it. */
export const label = (level: Level) => level.label ?? (level.level === null ? "none" : plain(level.level));

export function Facts({ country, variables, selection, onChange, problem }: Props) {
  const { facts } = selection;
  const sorted = [...variables].sort((a, b) => rank(a) - rank(b));
  const [wanted, setWanted] = useState("");
  const shown = sorted.filter((v) => `${plain(v.name)} ${v.description}`.toLowerCase().includes(wanted.trim().toLowerCase()));
  const set = (name: string, fact: Fact | undefined) => {
    const { [name]: _, ...others } = facts;
    const isSaid = fact && ("levels" in fact ? fact.levels.length > 0 : fact.from !== undefined || fact.to !== undefined);
    // What was chosen first stays first.
    const to = isSaid ? (name in facts ? { ...facts, [name]: fact } : { ...others, [name]: fact }) : others;
    onChange({ facts: to });
  };
  const chosen = Object.entries(facts);
  return (
    <aside class="facts" aria-label="Facts">
      <div class="heading">
        <h2>Narrow by facts</h2>
        {(chosen.length > 0 || selection.also) && (
          <button type="button" class="small" onClick={() => onChange({ facts: {}, also: "" })}>
            Clear
          </button>
        )}
      </div>
      {chosen.length > 0 && (
        <ul class="chips">
          {chosen.map(([name, fact]) => (
            <li key={name}>
              <button type="button" class="chip" title="Remove" onClick={() => set(name, undefined)}>
                <b>{plain(name)}</b> {told(fact)} <span aria-hidden="true">✕</span>
                <span class="hidden">, remove</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <input
        type="search"
        aria-label="Find a fact"
        placeholder={`Find one of ${variables.length} facts`}
        value={wanted}
        onInput={(event) => setWanted(event.currentTarget.value)}
      />
      <div class="variables">
        {shown.map((variable) => (
          <Choosing
            key={variable.name}
            country={country}
            variable={variable}
            fact={facts[variable.name]}
            onChange={(fact) => set(variable.name, fact)}
          />
        ))}
        {shown.length === 0 && <p class="quiet">No fact is called so.</p>}
      </div>
      <Also value={selection.also} onChange={(also) => onChange({ also })} problem={problem} />
    </aside>
  );
}

function told(fact: Fact): string {
  if ("levels" in fact) {
    const [first, ...more] = fact.levels;
    const said = first === null || first === undefined ? "none" : plain(first);
    return more.length ? `${said} and ${more.length} more` : said;
  }
  if (fact.from !== undefined && fact.to !== undefined) return `${fact.from}–${fact.to}`;
  return fact.from !== undefined ? `${fact.from} and over` : `up to ${fact.to}`;
}

function Also({ value, onChange, problem }: { value: string; onChange: (to: string) => void; problem: Problem | undefined }) {
  const [text, setText] = useState(value);
  const [before, setBefore] = useState(value);
  if (before !== value) {
    setBefore(value);
    setText(value);
  }
  return (
    <form class="also" onSubmit={(event) => (event.preventDefault(), onChange(text))}>
      <label>
        And whatever else holds, in SQL
        <input
          type="text"
          spellcheck={false}
          autocomplete="off"
          placeholder="occupation LIKE '%engineer%'"
          value={text}
          aria-invalid={problem !== undefined}
          onInput={(event) => setText(event.currentTarget.value)}
          onChange={() => onChange(text)}
        />
      </label>
      <Trouble problem={problem} />
    </form>
  );
}

interface ChoosingProps {
  country: Country;
  variable: Variable;
  fact: Fact | undefined;
  onChange: (fact: Fact | undefined) => void;
}

function Choosing({ country, variable, fact, onChange }: ChoosingProps) {
  const [open, setOpen] = useState(variable.name === "age" || variable.name === "sex");
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span>{title(variable.name)}</span>
        <span class={fact ? "said" : "quiet"}>{fact ? told(fact) : ""}</span>
      </summary>
      {open && (
        <div class="choosing">
          {variable.name !== "age" && variable.name !== "sex" && <p class="quiet small">{variable.description}</p>}
          {variable.range ? (
            <Range range={variable.range} fact={fact} onChange={onChange} name={plain(variable.name)} />
          ) : (
            <Levels country={country} variable={variable} fact={fact} onChange={onChange} />
          )}
        </div>
      )}
    </details>
  );
}

function Range(props: { range: [number, number]; fact: Fact | undefined; name: string; onChange: (fact: Fact) => void }) {
  const [min, max] = props.range;
  const { from, to } = props.fact && !("levels" in props.fact) ? props.fact : {};
  const read = (text: string) => (text === "" ? undefined : Math.min(max, Math.max(min, Math.round(Number(text)))));
  const set = (of: { from?: number | undefined; to?: number | undefined }) => {
    const { from: f, to: t } = { from, to, ...of };
    props.onChange({ ...(f !== undefined && f > min && { from: f }), ...(t !== undefined && t < max && { to: t }) });
  };
  const bound = (side: "from" | "to", value: number | undefined, placeholder: number) => (
    <label>
      {side}
      <input
        type="number"
        aria-label={`${props.name} ${side}`}
        min={min}
        max={max}
        placeholder={String(placeholder)}
        value={value ?? ""}
        onChange={(event) => set({ [side]: read(event.currentTarget.value) })}
      />
    </label>
  );
  return (
    <div class="range">
      {bound("from", from, min)}
      {bound("to", to, max)}
    </div>
  );
}

/** So many are shown at once; the others are found by how they begin. */
const SHOWN = 60;

function Levels({ country, variable, fact, onChange }: ChoosingProps) {
  const [text, setText] = useState("");
  const isLong = variable.levels > SHOWN;
  const prefix = useSettled(isLong ? text.trim() : "");
  const found = useAsked(() => levels(country.name, variable.name, SHOWN, prefix), [prefix]);
  const chosen = fact && "levels" in fact ? fact.levels : [];
  const wanted = text.trim().toLowerCase();
  const all = found.value ?? [];
  const shown = isLong ? all : all.filter((l) => label(l).toLowerCase().includes(wanted));
  const most = Math.max(...shown.map((l) => l.share), 0);
  const missing = chosen.filter((c) => !shown.some((l) => l.level === c)).map((level) => ({ level, share: NaN }));
  const toggle = (level: string | null, is: boolean) =>
    onChange({ levels: is ? [...chosen, level] : chosen.filter((c) => c !== level) });
  return (
    <>
      {variable.levels > 8 && (
        <input
          type="search"
          aria-label={`Find ${plain(variable.name)}`}
          placeholder={isLong ? `Begins with … (${variable.levels.toLocaleString("en")})` : "Find …"}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      )}
      <Trouble problem={found.problem} />
      <ul class="levels" tabIndex={variable.levels > 8 ? 0 : undefined} aria-label={`Levels of ${plain(variable.name)}`}>
        {[...missing, ...shown].map((l: Level) => (
          <li key={l.level ?? "∅"}>
            <label>
              <input
                type="checkbox"
                checked={chosen.includes(l.level)}
                onChange={(event) => toggle(l.level, event.currentTarget.checked)}
              />
              <span>{label(l)}</span>
              {!Number.isNaN(l.share) && (
                <>
                  <i class="bar" style={{ width: `${(l.share / most) * 3}rem` }} />
                  <span class="quiet figure">{share(l.share)}</span>
                </>
              )}
            </label>
          </li>
        ))}
      </ul>
    </>
  );
}
