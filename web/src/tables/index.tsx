// The tables: their rows, their people, and searches among them.

import { tables } from "../api";
import type { ViewProps } from "../app";
import { link } from "../route";
import { Busy, Trouble, useAsked } from "../ui";
import { bytes, count, plural } from "../words";
import { PersonPage } from "./person";
import { TablePage } from "./rows";

export function Tables(props: ViewProps) {
  const [, table, person] = props.route.path;
  if (table && person) return <PersonPage key={`${table}/${person}`} table={table} uuid={person} />;
  if (table) return <TablePage key={table} table={table} route={props.route} />;
  return <List />;
}

function List() {
  const known = useAsked(() => tables(), []);
  const all = known.value ?? [];
  return (
    <>
      <h1>
        Tables <Busy is={known.busy} />
      </h1>
      <p class="quiet">
        {known.value && `${plural(all.length, "table")} of ${count(all.reduce((sum, t) => sum + t.rows, 0))} rows in this database.`}
      </p>
      <Trouble problem={known.problem} />
      {known.value && all.length === 0 && (
        <p>
          There is none yet. <a href="#/people">Choose people</a> and keep them as a table.
        </p>
      )}
      <ul class="tiles">
        {all.map((t) => (
          <li key={t.name}>
            <a class="tile" href={link(["tables", t.name])}>
              <b>{t.name}</b>
              <span class="large">{count(t.rows)}</span>
              <span class="quiet">
                rows · {t.country ?? "no country"} · {bytes(t.bytes)}
              </span>
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}
