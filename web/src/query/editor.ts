// The editor. It lies in a shadow tree: there its styles are adopted, where the page's own policy lets no style be added.

import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, SQLDialect, sql } from "@codemirror/lang-sql";
import { HighlightStyle, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, setDiagnostics } from "@codemirror/lint";
import { EditorState, type Text } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Problem } from "../api";
import { sources } from "./completion";

export interface Editor {
  text(): string;
  set(text: string): void;
  focus(): void;
  /** Underlines where it went wrong; `before` letters stood before the text when it was sent */
  underline(problem: Problem | undefined, before?: number): void;
  destroy(): void;
}

const dialect = SQLDialect.define({
  ...PostgreSQL.spec,
  keywords: `${PostgreSQL.spec.keywords} optimize undrop restore tablesample bernoulli repeatable given strata margins`,
});

const theme = EditorView.theme({
  "&": { fontSize: "13.5px", color: "var(--ink)", backgroundColor: "var(--raised)", maxHeight: "50vh", minHeight: "9rem" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", overflow: "auto" },
  ".cm-content": { padding: "10px 0", caretColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--soft)", border: "none", paddingLeft: "6px" },
  ".cm-activeLine": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--wash) 70%, transparent)" },
  "&.cm-focused": { outline: "2px solid var(--table)", outlineOffset: "-1px" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--pale)" },
  ".cm-matchingBracket": { backgroundColor: "var(--pale) !important", outline: "none" },
  ".cm-tooltip.cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "8px", boxShadow: "0 8px 30px rgb(0 0 0 / .15)" },
  ".cm-tooltip-autocomplete.cm-tooltip > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
  ".cm-tooltip-autocomplete > ul > li": { padding: "2px 10px !important" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--pale) !important", color: "var(--ink) !important" },
  ".cm-completionDetail": { color: "var(--soft)", fontStyle: "normal", marginLeft: "1em" },
  ".cm-completionIcon": { display: "none" },
  ".cm-completionInfo": { padding: "8px 12px", maxWidth: "30em", fontFamily: "system-ui, sans-serif", lineHeight: "1.4", whiteSpace: "pre-wrap" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad) 1.5px", textUnderlineOffset: "3px", textDecorationSkipInk: "none" },
  ".cm-lintPoint-error:after": { borderBottomColor: "var(--bad)" },
  ".cm-diagnostic": { padding: "6px 10px", maxWidth: "34em" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-placeholder": { color: "var(--soft)" },
});

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--table)", fontWeight: "550" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: tags.number, color: "var(--country)" },
  { tag: [tags.bool, tags.null], color: "var(--country)" },
  { tag: [tags.lineComment, tags.blockComment], color: "var(--soft)", fontStyle: "italic" },
]);

/** What is typed over a selection is put in here: a browser would keep its looks by a style in the text, which the page's policy forbids. */
const typedOver = EditorView.domEventHandlers({
  beforeinput: (event, view) => {
    const { from, to, empty } = view.state.selection.main;
    const { data } = event;
    if (event.inputType !== "insertText" || event.isComposing || !data || empty) return false;
    event.preventDefault();
    const insert = () => view.state.update(view.state.replaceSelection(data), { userEvent: "input.type", scrollIntoView: true });
    if (!view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, data, insert))) view.dispatch(insert());
    return true;
  },
});

export function editor(place: HTMLElement, text: string, run: () => void): Editor {
  const root = place.attachShadow({ mode: "open" });
  const state = EditorState.create({
    doc: text,
    extensions: [
      lineNumbers(),
      history(),
      drawSelection(),
      bracketMatching(),
      closeBrackets(),
      typedOver,
      highlightActiveLine(),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": "SQL", spellcheck: "false", autocapitalize: "off" }),
      placeholder("SELECT …"),
      sql({ dialect }),
      syntaxHighlighting(colours),
      autocompletion({ override: sources(dialect), icons: false, maxRenderedOptions: 200 }),
      keymap.of([
        { key: "Mod-Enter", run: () => (run(), true) },
        // Tab leaves the editor, but where something is offered.
        { key: "Tab", run: acceptCompletion },
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...historyKeymap,
        ...defaultKeymap,
      ]),
      theme,
    ],
  });
  const view = new EditorView({ state, parent: root, root });
  return {
    text: () => view.state.doc.toString(),
    set: (to) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: to } }),
    focus: () => view.focus(),
    underline: (problem, before = 0) => view.dispatch(setDiagnostics(view.state, diagnostics(view.state, problem, before))),
    destroy: () => view.destroy(),
  };
}

function diagnostics({ doc }: EditorState, problem: Problem | undefined, before: number): Diagnostic[] {
  if (!problem) return [];
  const at = problem.position;
  const found = at ? placed(doc, at, before) : told(doc.toString(), problem.message);
  return found ? [{ ...found, severity: "error", message: problem.message }] : [];
}

interface Place {
  from: number;
  to: number;
}

/** The word at a place of the statement as it was sent, which begins where the text is no more blank. */
function placed(doc: Text, at: { line: number; column: number }, before: number): Place {
  const begin = Math.max(0, doc.toString().search(/\S/));
  const first = doc.lineAt(begin);
  const line = doc.line(Math.min(doc.lines, first.number + at.line - 1));
  const shift = at.line === 1 ? begin - first.from - before : 0;
  const from = Math.min(line.to, Math.max(line.from, line.from + shift + at.column - 1));
  const word = /^(\w+|"[^"]*"|'[^']*'|\S)/.exec(line.text.slice(from - line.from));
  return { from, to: Math.min(line.to, from + Math.max(1, word?.[0].length ?? 1)) };
}

/** What a message without a place says is wrong: a level, a name in quotes, a table or function. */
const NAMED = [/: `([^`]+)`/, /^[^`;]*`([^`]+)`/, /no (?:table|function) ([\w.]+)/];

function told(text: string, message: string): Place | undefined {
  for (const said of NAMED) {
    const word = said.exec(message)?.[1]?.split(".").pop() ?? "";
    const from = word ? text.search(new RegExp(`(?<!\\w)${word.replace(/[^\w\s]/g, "\\$&")}(?!\\w)`, "i")) : -1;
    if (from >= 0) return { from, to: from + word.length };
  }
  return undefined;
}
