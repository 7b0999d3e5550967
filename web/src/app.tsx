// The frame: where one is, who one is, and the view.

import type { FunctionComponent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Self, ask, onUnauthorized, signIn, signedIn } from "./api";
import { People } from "./people";
import { type Route, useRoute } from "./route";
import { Dialog, Trouble, problemOf } from "./ui";
import type { Problem } from "./api";

export interface ViewProps {
  route: Route;
  self: Self | undefined;
  /** Opens the sign-in */
  signIn: () => void;
}

type View = FunctionComponent<ViewProps>;

/** The views; all but the first are loaded when they are opened. */
const VIEWS: Record<string, { title: string; load: () => Promise<View> }> = {
  people: { title: "People", load: async () => People },
  tables: { title: "Tables", load: async () => (await import("./tables")).Tables },
  query: { title: "Query", load: async () => (await import("./query")).Query },
  runs: { title: "Runs", load: async () => (await import("./runs")).Runs },
  trust: { title: "Trust", load: async () => (await import("./trust")).Trust },
};

export function App() {
  const route = useRoute();
  const name = route.path[0] ?? "people";
  const chosen = VIEWS[name] ? name : "people";
  const [views, setViews] = useState<Record<string, View>>({ people: People });
  const [self, setSelf] = useState<Self>();
  const [asking, setAsking] = useState(false);
  const [failed, setFailed] = useState<Problem>();
  // Signed in as somebody else, everything is asked for anew.
  const [session, setSession] = useState(0);
  const main = useRef<HTMLElement>(null);

  useEffect(() => {
    onUnauthorized(() => {
      setSelf(undefined);
      setAsking(true);
    });
  }, []);
  useEffect(() => {
    ask<Self>("/v1/whoami").then(setSelf, () => {});
  }, [session]);
  useEffect(() => {
    document.title = `${VIEWS[chosen]?.title} · Populace`;
    setFailed(undefined);
    if (views[chosen]) return;
    VIEWS[chosen]?.load().then(
      (view) => setViews((before) => ({ ...before, [chosen]: view })),
      (error) => setFailed(problemOf(error)),
    );
  }, [chosen]);
  useEffect(() => {
    if (document.activeElement?.closest("nav")) main.current?.focus({ preventScroll: true });
  }, [chosen]);

  const View = views[chosen];
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        To the content
      </a>
      <header class="top">
        <a class="brand" href="#/people">
          <Mark />
          Populace
        </a>
        <nav aria-label="Views">
          {Object.entries(VIEWS).map(([name, { title }]) => (
            <a key={name} href={`#/${name}`} aria-current={name === chosen ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <div class="who">
          {self && (
            <span class="quiet" title={`You are ${self.name}, a ${self.role}`}>
              {self.name === "local" ? self.role : `${self.name} · ${self.role}`}
            </span>
          )}
          <button type="button" class="small" onClick={() => setAsking(true)}>
            {signedIn() ? "Account" : "Sign in"}
          </button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Trouble problem={failed} />
        {View ? (
          <View key={session} route={route} self={self} signIn={() => setAsking(true)} />
        ) : (
          <p class="quiet">Loading …</p>
        )}
      </main>
      <footer>
        People are synthetic: nobody is real. <a href="openapi.json">API</a> <a href="assets/licences.txt">Licences</a>
      </footer>
      {asking && (
        <SignIn
          self={self}
          onDone={(isOther) => {
            setAsking(false);
            if (isOther) setSession(session + 1);
          }}
        />
      )}
    </>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <circle cx="16" cy="10" r="5" />
      <path d="M6 27c0-6.500 4.200-10.500 10-10.500S26 20.500 26 27z" />
      <circle cx="5" cy="14" r="3" opacity=".5" />
      <circle cx="27" cy="14" r="3" opacity=".5" />
    </svg>
  );
}

function SignIn({ self, onDone }: { self: Self | undefined; onDone: (isOther: boolean) => void }) {
  const [problem, setProblem] = useState<string>();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    signIn(String(form.get("token") ?? "").trim());
    try {
      await ask<Self>("/v1/whoami");
      onDone(true);
    } catch (error) {
      signIn(undefined);
      setProblem(problemOf(error).message);
    }
  };
  return (
    <Dialog title="Sign in" onClose={() => onDone(false)}>
      <p class="quiet">
        {self ? `You are ${self.name}, a ${self.role}.` : "This server wants to know who you are."} A token is made by{" "}
        <code>populace tokens add NAME --role writer</code>. It stays in this page, and is gone when the page is closed.
      </p>
      <form class="stack" onSubmit={submit}>
        <input class="hidden" type="text" name="username" aria-label="Name" autoComplete="username" value="populace" tabIndex={-1} readOnly />
        <label>
          Token
          <input type="password" name="token" autoComplete="current-password" required autoFocus placeholder="pop_…" />
        </label>
        {problem && (
          <p class="trouble" role="alert">
            {problem}
          </p>
        )}
        <div class="actions">
          <button type="submit" class="first">
            Sign in
          </button>
          {signedIn() && (
            <button type="button" onClick={() => (signIn(undefined), onDone(true))}>
              Sign out
            </button>
          )}
        </div>
      </form>
    </Dialog>
  );
}
