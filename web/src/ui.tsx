// Small parts that all views are made of.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem } from "./api";

export interface Asked<T> {
  value?: T;
  problem?: Problem;
  busy: boolean;
}

export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, "internal", error instanceof Error ? error.message : String(error));
}

const wasAborted = (error: unknown) => error instanceof DOMException && error.name === "AbortError";

/**
 * Asks whenever one of `of` changes, and ends what was asked before. What was answered stays until the next answer.
 * `undefined` is asked for nothing.
 */
export function useAsked<T>(ask: ((signal: AbortSignal) => Promise<T>) | undefined, of: unknown[], wait = 0): Asked<T> {
  const [asked, set] = useState<Asked<T>>({ busy: ask !== undefined });
  useEffect(() => {
    if (!ask) return set({ busy: false });
    const abort = new AbortController();
    set((before) => ({ ...before, busy: true }));
    const begin = setTimeout(() => {
      ask(abort.signal).then(
        (value) => abort.signal.aborted || set({ value, busy: false }),
        (error) => {
          if (!abort.signal.aborted && !wasAborted(error)) set({ problem: problemOf(error), busy: false });
        },
      );
    }, wait);
    return () => {
      clearTimeout(begin);
      abort.abort();
    };
  }, of);
  return asked;
}

export function Trouble({ problem }: { problem: Problem | undefined }) {
  if (!problem || problem.status === 401) return null;
  return (
    <div class="trouble" role="alert">
      <p>{problem.message}</p>
      {problem.hint && <p class="quiet">{problem.hint}</p>}
    </div>
  );
}

/** Says that something is being worked out, without moving what is there. */
export function Busy({ is, what = "working" }: { is: boolean; what?: string }) {
  return (
    <span class={`busy${is ? " is" : ""}`} role="status">
      {is ? <span class="hidden">{what}</span> : null}
    </span>
  );
}

export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, set] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Off this machine and without TLS there is no clipboard.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    set(true);
    setTimeout(() => set(false), 1500);
  };
  return (
    <button type="button" class="small" onClick={copy}>
      {done ? "Copied" : label}
    </button>
  );
}

export function Code({ text, children }: { text: string; children?: ComponentChildren }) {
  return (
    <div class="code">
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
      <div class="actions">
        <Copy text={text} />
        {children}
      </div>
    </div>
  );
}

/** One of a few, as buttons side by side. */
export function Choice<T extends string>(props: {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  onChange: (value: T) => void;
}) {
  return (
    <div class="choice" role="group" aria-label={props.label}>
      {props.options.map(([value, text]) => (
        <button
          key={value}
          type="button"
          aria-pressed={value === props.value}
          onClick={() => props.onChange(value)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

/** A dialog over the page, closed by Escape. */
export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren }) {
  const at = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    at.current?.showModal();
  }, []);
  return (
    <dialog ref={at} onClose={props.onClose} aria-label={props.title}>
      <div class="heading">
        <h2>{props.title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick={() => at.current?.close()}>
          ✕
        </button>
      </div>
      {props.children}
    </dialog>
  );
}

/** The value of something a moment after it has stopped to change. */
export function useSettled<T>(value: T, wait = 250): T {
  const [settled, set] = useState(value);
  useEffect(() => {
    const later = setTimeout(() => set(value), wait);
    return () => clearTimeout(later);
  }, [value]);
  return settled;
}

/** Something that was chosen, as long as the page is open or, with `keep`, in this browser. */
export function useStored<T>(key: string, first: T): [T, (value: T) => void] {
  const [value, set] = useState<T>(() => {
    try {
      const kept = localStorage.getItem(`populace.${key}`);
      return kept === null ? first : (JSON.parse(kept) as T);
    } catch {
      return first;
    }
  });
  const keep = (value: T) => {
    set(value);
    try {
      localStorage.setItem(`populace.${key}`, JSON.stringify(value));
    } catch {
      // There is no room, or none is given: it lasts as long as the page.
    }
  };
  return [value, keep];
}
