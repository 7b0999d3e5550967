// Where one is, in the address: everything behind the # is the page's own, and is never sent to the server.

import { useEffect, useMemo, useState } from "preact/hooks";

export interface Route {
  /** `people`, or `tables`, `usa` and so on */
  path: string[];
  query: URLSearchParams;
}

function read(hash: string): Route {
  const [path = "", query = ""] = hash.slice(1).split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decode);
  return { path: parts.length ? parts : ["people"], query: new URLSearchParams(query) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function link(path: string[], query: Record<string, string> | URLSearchParams = {}): string {
  const search = new URLSearchParams(query).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

export function go(path: string[], query: Record<string, string> | URLSearchParams = {}, replace = false) {
  const to = link(path, query);
  if (to === location.hash) return;
  if (replace) {
    history.replaceState(null, "", to);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = to;
  }
}

export function useRoute(): Route {
  const [hash, set] = useState(location.hash);
  useEffect(() => {
    const changed = () => set(location.hash);
    addEventListener("hashchange", changed);
    // It may have changed before anybody listened.
    changed();
    return () => removeEventListener("hashchange", changed);
  }, []);
  return useMemo(() => read(hash), [hash]);
}
