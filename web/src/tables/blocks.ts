// The rows of a table, read in blocks where one looks.

import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { type Problem, type Row, sql } from "../api";
import { named, quoted } from "../sql";
import { type Asked, problemOf, useAsked } from "../ui";

/** Rows of a block, at least. */
const LEAST = 100;
/** So many places are known by their keys. */
const ANCHORS = 5000;
/** So many blocks are kept: those that were looked at last. */
const KEPT = 50;
/** What is passed by faster is not asked for, in milliseconds. */
const GLANCE = 40;

interface Places {
  total: number;
  size: number;
  /** The first key of each block; nothing where rows have none */
  anchors?: string[];
}

/** How many rows there are, and the key of every so many-th: where one goes in, wherever one scrolls to. */
async function places(table: string, total: number, hasKey: boolean, where: string, signal: AbortSignal): Promise<Places> {
  const filter = where ? ` WHERE ${where}` : "";
  if (where || !hasKey) {
    const counted = await sql(`SELECT count(*) AS n FROM ${named(table)}${filter}`, signal);
    total = Number(counted.rows[0]?.["n"] ?? 0);
  }
  const size = Math.max(LEAST, Math.ceil(total / ANCHORS));
  if (!hasKey) return { total: Math.min(total, 1000), size: 1000 };
  if (total <= size) return { total, size, anchors: [""] };
  const numbered = `SELECT uuid, row_number() OVER (ORDER BY uuid) AS n FROM ${named(table)}${filter}`;
  const found = await sql(`SELECT uuid FROM (${numbered}) WHERE (n - 1) % ${size} = 0 ORDER BY uuid`, signal);
  return { total, size, anchors: found.rows.map((row) => String(row["uuid"])) };
}

interface Of {
  table: string;
  /** As many rows as it has */
  rows: number;
  hasKey: boolean;
  /** Only those of whom this holds, in SQL */
  where: string;
  columns: string[];
}

export interface Blocks {
  known: Asked<Places>;
  problem: Problem | undefined;
  /** Has the rows of these places come. */
  see: (from: number, to: number) => void;
  row: (at: number) => Row | undefined;
}

export function useBlocks({ table, rows, hasKey, where, columns }: Of): Blocks {
  const known = useAsked((signal) => places(table, rows, hasKey, where, signal), [table, where]);
  const [, redraw] = useState(0);
  const [problem, setProblem] = useState<Problem>();
  const select = [...new Set([...(hasKey ? ["uuid"] : []), ...columns])].map(named).join(", ");
  // Of other rows, or of other columns, nothing is known yet.
  const blocks = useMemo(() => new Map<number, Row[]>(), [known.value, select]);
  const asked = useMemo(() => new Map<number, AbortController>(), [blocks]);
  useEffect(() => () => asked.forEach((abort) => abort.abort()), [asked]);

  const see = useCallback(
    (from: number, to: number) => {
      const at = known.value;
      if (!at) return;
      const [first, last] = [Math.floor(from / at.size), Math.floor((to - 1) / at.size)];
      for (const [block, abort] of asked) {
        if (block < first || block > last) abort.abort(), asked.delete(block);
      }
      for (let block = first; block <= last; block++) {
        const there = blocks.get(block);
        if (there) {
          // The first of the map is the one that was looked at least lately.
          blocks.delete(block);
          blocks.set(block, there);
        } else if (!asked.has(block)) void read(at, block);
      }
    },
    [blocks],
  );
  const read = async (at: Places, block: number) => {
    const abort = new AbortController();
    asked.set(block, abort);
    const [anchor, next] = [at.anchors?.[block], at.anchors?.[block + 1]];
    const parts = [where && `(${where})`, anchor && `uuid >= ${quoted(anchor)}`, next && `uuid < ${quoted(next)}`].filter(Boolean);
    const filter = parts.length ? ` WHERE ${parts.join(" AND ")}` : "";
    const order = at.anchors ? " ORDER BY uuid" : "";
    try {
      await new Promise((then) => setTimeout(then, GLANCE));
      if (abort.signal.aborted) return;
      const found = await sql(`SELECT ${select || "*"} FROM ${named(table)}${filter}${order} LIMIT ${at.size}`, abort.signal);
      blocks.set(block, found.rows);
      setProblem(undefined);
      for (const least of blocks.keys()) {
        if (blocks.size <= KEPT) break;
        blocks.delete(least);
      }
      redraw((n) => n + 1);
    } catch (error) {
      if (!abort.signal.aborted) setProblem(problemOf(error));
    } finally {
      if (asked.get(block) === abort) asked.delete(block);
    }
  };
  const row = (at: number) => {
    const size = known.value?.size ?? LEAST;
    return blocks.get(Math.floor(at / size))?.[at % size];
  };
  return { known, problem, see, row };
}
