// Keeps people as a table: a run, which goes on when the page is closed.

import { useState } from "preact/hooks";
import { type Country, type Run, type Self, ask } from "../api";
import { go } from "../route";
import { Dialog, Trouble, problemOf } from "../ui";
import type { Problem } from "../api";

interface Props {
  country: Country;
  given: string | undefined;
  seed: number;
  self: Self | undefined;
  signIn: () => void;
  onClose: () => void;
}

export function Keep({ country, given, seed, self, signIn, onClose }: Props) {
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const mayWrite = self?.role !== "reader";
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setProblem(undefined);
    const texts = form.get("texts") !== null;
    const generate = {
      country: country.name,
      count: Number(form.get("count")),
      table: String(form.get("table")),
      seed,
      given: given ?? null,
      narrator: texts ? "outline" : "none",
      embeddings: texts,
    };
    try {
      const run = await ask<Run>("/v1/runs", { body: { generate } });
      go(["runs", run.id]);
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title="Keep as a table" onClose={onClose}>
      {mayWrite ? (
        <form class="stack" onSubmit={submit}>
          <p class="quiet">
            They are drawn, written up and kept. It goes on when this page is closed; Runs tells how far it is.
          </p>
          <label>
            Name of the table
            <input name="table" required pattern="[a-z_][a-z0-9_]*" maxLength={60} defaultValue={given ? `${country.name}_chosen` : country.name} spellcheck={false} />
          </label>
          <label>
            How many
            <input name="count" type="number" required min={1} max={1000000} defaultValue="200" />
          </label>
          <label class="check">
            <input name="texts" type="checkbox" defaultChecked /> with texts and their vectors, to be searched by meaning
          </label>
          <Trouble problem={problem} />
          <div class="actions">
            <button type="submit" class="first" disabled={busy}>
              {busy ? "Beginning …" : "Keep them"}
            </button>
          </div>
        </form>
      ) : (
        <>
          <p>
            You are a reader here, and a table takes a writer. <code>populace tokens add NAME --role writer</code> makes a
            token that may; a server that is started with <code>--no-auth</code> lets everybody of its machine.
          </p>
          <div class="actions">
            <button type="button" class="first" onClick={signIn}>
              Sign in with a token
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
