// What the page asks the server for. The token is kept here, in memory, and nowhere else: a cookie would go to every port
// of this machine, and what is stored, to every script of this origin that is ever run.

/** What went wrong, as the server says it (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    detail: string,
    readonly hint?: string,
    readonly position?: { line: number; column: number },
  ) {
    super(detail);
  }
}

export interface Column {
  name: string;
  type: string;
}

export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
export type Row = Record<string, Value>;

export interface Rows {
  columns: Column[];
  rows: Row[];
  notices: string[];
  seed?: number;
  run?: string;
  error?: { status: number; kind: string; detail: string; hint?: string };
  /** There are more, which were not read */
  isCut?: boolean;
}

let token: string | undefined;
let unauthorized: () => void = () => {};

export const signedIn = () => token !== undefined;

export function signIn(secret: string | undefined) {
  token = secret;
  kept.clear();
}

/** Called when the server wants a token, or another one. */
export function onUnauthorized(then: () => void) {
  unauthorized = then;
}

interface Request {
  method?: string;
  body?: unknown;
  signal?: AbortSignal;
  accept?: string;
}

async function send(path: string, { method, body, signal, accept }: Request): Promise<Response> {
  const headers: Record<string, string> = { accept: accept ?? "application/json" };
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
      credentials: "omit",
      redirect: "error",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "unavailable", "The server does not answer.", "It may have ended: `populace serve` starts it.");
  }
  if (response.ok) return response;
  if (response.status === 401) unauthorized();
  const said = await response.json().catch(() => ({}));
  throw new Problem(
    response.status,
    said.kind ?? "internal",
    said.detail ?? `The server answered ${response.status}.`,
    said.hint,
    said.position,
  );
}

export async function ask<T>(path: string, request: Request = {}): Promise<T> {
  return (await send(path, request)).json();
}

export async function text(path: string, request: Request = {}): Promise<string> {
  return (await send(path, { accept: "*/*", ...request })).text();
}

/** So many letters of an answer are read; the statement is ended where there are more. */
const MOST = 24_000_000;

/** The rows of a statement: all of them, or as many as a page can hold. What fails after its first rows fails it. */
export async function sql(statement: string, signal?: AbortSignal): Promise<Rows> {
  const response = await send("/v1/sql", { body: { statement }, signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
    if (text.length > MOST) {
      await reader.cancel();
      return firstRows(text);
    }
  }
  const rows = JSON.parse(text) as Rows;
  const { error } = rows;
  if (error) throw new Problem(error.status, error.kind, error.detail, error.hint);
  return rows;
}

/** The whole rows of an answer that is cut off. Within a text a quote is escaped, so that no text looks like their border. */
function firstRows(text: string): Rows {
  const { columns } = JSON.parse(`${text.slice(0, text.indexOf(',"rows":['))}}`) as Rows;
  const border = `},{${JSON.stringify(columns[0]?.name)}:`;
  return { ...(JSON.parse(`${text.slice(0, text.lastIndexOf(border))}}]}`) as Rows), notices: [], isCut: true };
}

const kept = new Map<string, Promise<unknown>>();

/** What stays as it is for as long as the server runs is asked for once. */
export function once<T>(path: string): Promise<T> {
  let known = kept.get(path) as Promise<T> | undefined;
  if (!known) {
    known = ask<T>(path);
    known.catch(() => kept.delete(path));
    kept.set(path, known);
  }
  return known;
}

/** The events of a path, as they come. A token goes in a header, which EventSource cannot send. */
export async function events(path: string, signal: AbortSignal, each: (data: string) => void): Promise<void> {
  const response = await send(path, { accept: "text/event-stream", signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (reader) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      const data = part.split("\n").filter((line) => line.startsWith("data:"));
      if (data.length) each(data.map((line) => line.slice(5).trim()).join("\n"));
    }
  }
}

export interface Country {
  name: string;
  title: string;
  code: string;
  language: string;
  year: string;
  universe: string;
  people: number;
  pack: string;
  /** The variable that the map is of, where there is a map */
  map?: string;
}

export interface Variable {
  name: string;
  description: string;
  levels: number;
  range?: [number, number];
  nullable: boolean;
}

export interface Level {
  level: string | null;
  label?: string;
  share: number;
}

export interface Table {
  name: string;
  rows: number;
  country: string | null;
  bytes: number;
  columns?: Column[];
}

export interface Self {
  name: string;
  role: "reader" | "writer" | "admin";
}

export interface Figure {
  name: string;
  title: string;
  status: string;
  year: string;
  variables: string[];
  cells: number;
  source: { agency: string; title: string; year: string; licence: string; attribution?: string };
  fitted: boolean;
  distance?: number;
}

export interface Bill {
  answered: number;
  failed: number;
  requests: number;
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd?: number;
  estimated: number;
  failures: { reason: string; count: number }[];
}

export interface Run {
  id: string;
  status: "running" | "interrupted" | "done" | "failed" | "cancelled";
  table: string;
  narrator: string;
  pack?: string;
  seed?: number;
  given?: string;
  count?: number;
  statement?: string;
  done: number;
  error?: string;
  started: string;
  updated: string;
  bill: Bill;
}

export interface Recipe {
  name: string;
  description: string;
  parameters: { name: string; description: string; default: string | null }[];
  sql?: string;
}

export const countries = () => once<Country[]>("/v1/countries");
export const variables = (country: string) => once<Variable[]>(`/v1/countries/${country}/variables`);
export const levels = (country: string, variable: string, limit = 100, prefix = "") =>
  once<Level[]>(
    `/v1/countries/${country}/variables/${encodeURIComponent(variable)}?limit=${limit}&prefix=${encodeURIComponent(prefix)}`,
  );
export const figures = (country: string) => once<Figure[]>(`/v1/countries/${country}/figures`);
export const tables = () => ask<Table[]>("/v1/tables");
export const table = (name: string) => ask<Table>(`/v1/tables/${encodeURIComponent(name)}`);
