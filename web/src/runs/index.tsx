// Runs: how far they are, what they took, and what went wrong.

import { useEffect, useState } from "preact/hooks";
import { type Problem, type Run, ask, events } from "../api";
import type { ViewProps } from "../app";
import { link } from "../route";
import { Busy, Code, Trouble, problemOf, useAsked } from "../ui";
import { count, exactly, moment, plain, plural } from "../words";

export function Runs({ route, self }: ViewProps) {
  const [, id] = route.path;
  return id ? <RunPage key={id} id={id} mayWrite={self?.role !== "reader"} /> : <List />;
}

const SAID: Record<Run["status"], string> = {
  running: "at work",
  interrupted: "interrupted",
  done: "done",
  failed: "failed",
  cancelled: "stopped",
};

/** A run as it goes on: told by the server, until it has ended. */
function useRun(first: Run): Run {
  const [run, set] = useState(first);
  useEffect(() => {
    set(first);
    if (first.status !== "running") return;
    const abort = new AbortController();
    const follow = async () => {
      while (!abort.signal.aborted) {
        let last: Run | undefined;
        try {
          await events(`/v1/runs/${first.id}/events`, abort.signal, (data) => {
            last = JSON.parse(data) as Run;
            set(last);
          });
        } catch {
          if (abort.signal.aborted) return;
        }
        if (last && last.status !== "running") return;
        await new Promise((then) => setTimeout(then, 1500));
      }
    };
    void follow();
    return () => abort.abort();
  }, [first]);
  return run;
}

function List() {
  const known = useAsked((signal) => ask<Run[]>("/v1/runs", { signal }), []);
  return (
    <>
      <h1>
        Runs <Busy is={known.busy} />
      </h1>
      <p class="quiet">Work that outlives a request: people who are drawn, written up and kept.</p>
      <Trouble problem={known.problem} />
      {known.value?.length === 0 && (
        <p>
          There is none yet. <a href="#/people">Choose people</a> and keep them as a table.
        </p>
      )}
      <ul class="run-list">{known.value?.map((run) => <Line key={run.id} first={run} />)}</ul>
    </>
  );
}

const money = (usd: number | undefined) => (usd === undefined ? undefined : `$${usd < 1 ? usd.toFixed(4) : usd.toFixed(2)}`);

function Line({ first }: { first: Run }) {
  const run = useRun(first);
  return (
    <li>
      <a href={link(["runs", run.id])}>
        <span class="run-name">
          <b>{run.table}</b> <Status run={run} />
        </span>
        <span class="quiet">
          {run.count !== undefined ? `${exactly(run.done)} of ${plural(run.count, "person", "people")}` : plural(run.done, "row")} ·{" "}
          {run.narrator === "none" ? "facts alone" : `written by ${run.narrator}`}
          {run.bill.cost_usd !== undefined && ` · ${money(run.bill.cost_usd)}`} · {moment(run.started)}
        </span>
        <Progress run={run} />
      </a>
    </li>
  );
}

function Status({ run }: { run: Run }) {
  return <span class={`status ${run.status}`}>{SAID[run.status] ?? run.status}</span>;
}

function Progress({ run }: { run: Run }) {
  if (!run.count) return null;
  return <progress max={run.count} value={Math.min(run.done, run.count)} aria-label={`Progress of ${run.table}`} />;
}

function RunPage({ id, mayWrite }: { id: string; mayWrite: boolean }) {
  const [again, setAgain] = useState(0);
  const known = useAsked((signal) => ask<Run>(`/v1/runs/${encodeURIComponent(id)}`, { signal }), [id, again]);
  return (
    <>
      <p class="path">
        <a href="#/runs">Runs</a> / {id}
      </p>
      <Trouble problem={known.problem} />
      {known.value && <One first={known.value} mayWrite={mayWrite} onChange={() => setAgain(again + 1)} />}
    </>
  );
}

function One({ first, mayWrite, onChange }: { first: Run; mayWrite: boolean; onChange: () => void }) {
  const run = useRun(first);
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const [note, setNote] = useState<string>();
  const act = async (what: "cancel" | "resume" | "retry", done: string) => {
    setBusy(true);
    setProblem(undefined);
    setNote(undefined);
    try {
      await ask<Run>(`/v1/runs/${run.id}/${what}`, { body: {} });
      setNote(done);
      onChange();
    } catch (error) {
      setProblem(problemOf(error));
    }
    setBusy(false);
  };
  const { bill } = run;
  const figures: [string, string | undefined][] = [
    ["people in the table", run.count ? `${exactly(run.done)} of ${exactly(run.count)}` : exactly(run.done)],
    ["texts answered", bill.requests ? exactly(bill.answered) : undefined],
    ["texts failed", bill.requests ? exactly(bill.failed) : undefined],
    ["requests", bill.requests ? exactly(bill.requests) : undefined],
    ["tokens asked with", bill.prompt_tokens ? count(bill.prompt_tokens) : undefined],
    ["tokens answered", bill.completion_tokens ? count(bill.completion_tokens) : undefined],
    ["money", money(bill.cost_usd)],
  ];
  const worst = Math.max(1, ...bill.failures.map((f) => f.count));
  return (
    <>
      <div class="heading">
        <h1>
          {run.table} <Status run={run} />
        </h1>
        <div class="actions">
          {run.status === "running" && (
            <button type="button" class="danger" disabled={busy || !mayWrite} onClick={() => act("cancel", "It is told to stop; the people who are in the table stay.")}>
              Stop
            </button>
          )}
          {(run.status === "interrupted" || run.status === "failed") && (
            <button type="button" class="first" disabled={busy || !mayWrite} onClick={() => act("resume", "It goes on.")}>
              Resume
            </button>
          )}
          {run.status !== "running" && run.narrator !== "none" && (
            <button type="button" disabled={busy || !mayWrite} onClick={() => act("retry", "What failed is asked for again.")}>
              Retry what failed
            </button>
          )}
          <a class="button" href={link(["tables", run.table])}>
            Open the table
          </a>
        </div>
      </div>
      {!mayWrite && <p class="quiet">Who stops, resumes or retries needs a token that may write.</p>}
      <Trouble problem={problem} />
      {note && <p role="status">{note}</p>}
      {run.error && (
        <div class="trouble">
          <p>{run.error}</p>
        </div>
      )}
      <div class="large-progress" aria-live="polite">
        <Progress run={run} />
      </div>
      <dl class="figures">
        {figures.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      {bill.requests === 0 && (
        <p class="quiet">
          {run.narrator === "none" ? "Nothing is written." : `${run.narrator} writes on this machine`}: no model is asked, and nothing is paid.
        </p>
      )}
      {bill.estimated > 0 && <p class="quiet">Of {plural(bill.estimated, "request")} the server did not tell the tokens: they are estimated.</p>}
      {bill.failures.length > 0 && (
        <section>
          <h2>Why requests failed</h2>
          <table class="plain kinds">
            <thead>
              <tr>
                <th scope="col">reason</th>
                <th scope="col">how often</th>
              </tr>
            </thead>
            <tbody>
              {bill.failures.map((f) => (
                <tr key={f.reason}>
                  <td>{f.reason}</td>
                  <td>
                    <span class="track">
                      <i class="bar" style={{ width: `${(100 * f.count) / worst}%` }} />
                    </span>
                    <span class="figure">{exactly(f.count)}</span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      <section>
        <h2>What it is</h2>
        <dl class="fact-list narrow">
          {(
            [
              ["people of", run.pack],
              ["seed", run.seed],
              ["given", run.given],
              ["written by", run.narrator],
              ["started", moment(run.started)],
              ["last heard of", moment(run.updated)],
            ] as const
          ).map(
            ([name, value]) =>
              value !== undefined && (
                <div key={name}>
                  <dt>{plain(name)}</dt>
                  <dd>{String(value)}</dd>
                </div>
              ),
          )}
        </dl>
        {run.statement && <Code text={run.statement} />}
      </section>
    </>
  );
}
