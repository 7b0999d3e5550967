// SQL: an editor that knows the database, and what comes of a statement as a table, a chart or a map.

import { useEffect, useRef, useState } from "preact/hooks";
import { type Problem, type Recipe, type Rows, once, sql } from "../api";
import type { ViewProps } from "../app";
import { go, link } from "../route";
import { Busy, Copy, Dialog, Trouble, problemOf, useAsked, useStored } from "../ui";
import { exactly } from "../words";
import { type Editor, editor } from "./editor";
import { Result } from "./result";

interface Past {
  sql: string;
  at: number;
  rows?: number;
  seconds?: number;
}

const FIRST = `-- Ctrl-Enter runs the statement, Ctrl-Space completes.
SELECT state, count(*) AS people, round(avg(age), 1) AS mean_age
FROM sample_persona('usa', 10000, seed => 42)
GROUP BY state ORDER BY people DESC`;

/** What writes texts by a model, which costs money. */
const asksModels = (text: string) => /\b(try_)?generate_(narrative|persona)\s*\(|openai:/i.test(text);

/** What the calls to models of a statement would come to, where it makes any. */
const callsOf = (plan: Rows) => plan.rows.find((row) => row["plan_type"] === "calls_to_models");

/** The plans as they are in the end: how they came about is left out, and what is the same as before. */
const plans = (rows: Rows) =>
  rows.rows.filter((row) => !/^initial_| after |_with_|^calls_to/.test(String(row["plan_type"])) || /^Error/.test(String(row["plan"])));

interface Done {
  rows: Rows;
  seconds: number;
  sql: string;
}

export function Query({ route, self }: ViewProps) {
  const place = useRef<HTMLDivElement>(null);
  const edited = useRef<Editor | undefined>(undefined);
  const [history, keep] = useStored<Past[]>("history", []);
  const given = route.query.get("sql");
  const [done, setDone] = useState<Done>();
  const [plan, setPlan] = useState<{ rows: Rows; sql: string; confirm: boolean }>();
  const [problem, setProblem] = useState<Problem>();
  const [running, setRunning] = useState<AbortController>();
  const [past, setPast] = useState(false);
  const recipes = useAsked(() => once<Recipe[]>("/v1/recipes"), []);
  const run = useRef<(plain?: boolean) => void>(() => {});

  const perform = async (statement: string, then: (rows: Rows, seconds: number) => void) => {
    running?.abort();
    const abort = new AbortController();
    const since = performance.now();
    setRunning(abort);
    setProblem(undefined);
    edited.current?.underline(undefined);
    try {
      then(await sql(statement, abort.signal), (performance.now() - since) / 1000);
    } catch (error) {
      if (!abort.signal.aborted) {
        const problem = problemOf(error);
        setProblem(problem);
        // The place is one of the statement as it was sent.
        const before = statement.startsWith("EXPLAIN ") ? "EXPLAIN ".length : 0;
        edited.current?.underline(problem, before);
      }
    } finally {
      setRunning((now) => (now === abort ? undefined : now));
    }
  };
  const text = () => (edited.current?.text() ?? "").trim().replace(/;\s*$/, "");
  const explain = (confirm = false) => {
    const statement = text();
    if (!statement) return;
    go(["query"], { sql: statement }, true);
    setDone(undefined);
    void perform(`EXPLAIN ${statement}`, (rows) => {
      if (confirm && !callsOf(rows)) run.current(true);
      else setPlan({ rows, sql: statement, confirm });
    });
  };
  run.current = (anyway = false) => {
    const statement = text();
    if (!statement) return;
    // What a model would cost is told before it is asked.
    if (!anyway && asksModels(statement) && !/^\s*explain\b/i.test(statement)) return explain(true);
    go(["query"], { sql: statement }, true);
    setPlan(undefined);
    void perform(statement, (rows, seconds) => {
      setDone({ rows, seconds, sql: statement });
      const others = history.filter((h) => h.sql !== statement);
      keep([{ sql: statement, at: Date.now(), rows: rows.rows.length, seconds }, ...others].slice(0, 50));
    });
  };
  useEffect(() => {
    if (!place.current) return;
    const made = editor(place.current, given ?? history[0]?.sql ?? FIRST, () => run.current());
    edited.current = made;
    return () => made.destroy();
  }, []);
  useEffect(() => {
    if (given !== null && given !== text()) edited.current?.set(given);
  }, [given]);

  const take = (statement: string) => {
    edited.current?.set(statement);
    edited.current?.focus();
  };
  return (
    <>
      <div class="heading">
        <h1>Query</h1>
        <div class="actions">
          <select
            aria-label="Recipes"
            value=""
            onChange={(event) => {
              const chosen = recipes.value?.find((r) => r.name === event.currentTarget.value);
              if (chosen?.sql) take(chosen.sql.trim());
              event.currentTarget.value = "";
            }}
          >
            <option value="">Recipes …</option>
            {recipes.value
              ?.filter((r) => r.sql)
              .map((r) => (
                <option key={r.name} value={r.name}>
                  {r.name.replaceAll("_", " ")}
                </option>
              ))}
          </select>
          <button type="button" onClick={() => setPast(true)}>
            History
          </button>
          <Copy text={location.href} label="Copy link" />
        </div>
      </div>
      <div class={`editor${problem ? " wrong" : ""}`} ref={place} />
      <div class="actions below">
        <button type="button" class="first" onClick={() => run.current()} disabled={running !== undefined}>
          Run
        </button>
        <button type="button" onClick={() => explain()} disabled={running !== undefined}>
          Explain
        </button>
        {running && (
          <button type="button" class="danger" onClick={() => running.abort()}>
            Stop
          </button>
        )}
        <Busy is={running !== undefined} what="running" />
        {done && (
          <span class="quiet figure" role="status">
            {done.rows.isCut ? "the first " : ""}
            {exactly(done.rows.rows.length)} {done.rows.rows.length === 1 ? "row" : "rows"} in {done.seconds.toFixed(2)} s
          </span>
        )}
        {self?.role === "reader" && <span class="quiet end">You may read; writing takes another token.</span>}
      </div>
      <Trouble problem={problem} />
      {plan && (
        <section>
          <div class="heading">
            <h2>{callsOf(plan.rows) ? "What it would take" : "The plan"}</h2>
            {plan.confirm && (
              <button type="button" class="first" onClick={() => run.current(true)}>
                Run it all the same
              </button>
            )}
          </div>
          {callsOf(plan.rows) && <p class="lead">{String(callsOf(plan.rows)?.["plan"])}</p>}
          {plans(plan.rows).map((row, at) => (
            <div class="code" key={at}>
              <pre tabIndex={0}>
                <b>{String(row["plan_type"] ?? "")}</b>
                {"\n"}
                {String(row["plan"] ?? Object.values(row).join("  "))}
              </pre>
            </div>
          ))}
        </section>
      )}
      {done && (
        <>
          {done.rows.notices.map((notice) => (
            <p key={notice} class="quiet">
              {notice}
            </p>
          ))}
          {done.rows.run && (
            <p>
              It was a run: <a href={link(["runs", done.rows.run])}>{done.rows.run}</a>
            </p>
          )}
          {done.rows.isCut && <p class="quiet">There are more rows than a page can hold: the first are shown.</p>}
          <Result key={done.sql + done.seconds} rows={done.rows} />
        </>
      )}
      {past && (
        <Dialog title="History" onClose={() => setPast(false)}>
          {history.length === 0 && <p class="quiet">Nothing was run yet.</p>}
          <ul class="past">
            {history.map((h) => (
              <li key={h.at}>
                <button
                  type="button"
                  onClick={() => {
                    take(h.sql);
                    setPast(false);
                  }}
                >
                  <code>{h.sql}</code>
                  <span class="quiet small">
                    {new Date(h.at).toLocaleString()} · {h.rows} rows · {h.seconds?.toFixed(2)} s
                  </span>
                </button>
              </li>
            ))}
          </ul>
          {history.length > 0 && (
            <button type="button" class="small" onClick={() => keep([])}>
              Forget all
            </button>
          )}
        </Dialog>
      )}
    </>
  );
}
