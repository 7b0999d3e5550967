// How far the people can be believed: what they were fitted to, what was kept from the fit, and how tables agree.

import { useMemo, useState } from "preact/hooks";
import { type Country, type Figure, type Row, type Table, countries, figures, signedIn, sql, tables, text } from "../api";
import type { ViewProps } from "../app";
import { go } from "../route";
import { named, quoted } from "../sql";
import { Busy, Trouble, problemOf, useAsked } from "../ui";
import { exactly, plain, plural, share } from "../words";
import type { Problem } from "../api";

export function Trust({ route }: ViewProps) {
  const packs = useAsked(() => countries(), []);
  const all = useAsked(() => tables(), []);
  const table = all.value?.find((t) => t.name === route.query.get("table"));
  const of = route.query.get("country");
  const isOf = (c: Country) => c.name === table?.country || c.code === table?.country;
  const country = packs.value?.find((c) => (table ? isOf(c) : c.name === of)) ?? packs.value?.[packs.value.length - 1];
  const chosen = packs.value?.find((c) => c.name === (of ?? (table ? country?.name : "usa"))) ?? country;
  const others = (all.value ?? []).filter((t) => t.country === chosen?.name || t.country === chosen?.code);
  return (
    <>
      <div class="heading">
        <h1>Trust</h1>
        <div class="actions">
          <select
            aria-label="Country"
            value={chosen?.name}
            onChange={(event) => go(["trust"], { country: event.currentTarget.value }, true)}
          >
            {packs.value?.map((c) => (
              <option key={c.name} value={c.name}>
                {c.title}
              </option>
            ))}
          </select>
          <select
            aria-label="Table"
            value={table?.name ?? ""}
            onChange={(event) =>
              go(["trust"], { ...(chosen && { country: chosen.name }), ...(event.currentTarget.value && { table: event.currentTarget.value }) }, true)
            }
          >
            <option value="">no table</option>
            {others.map((t) => (
              <option key={t.name} value={t.name}>
                table {t.name}
              </option>
            ))}
          </select>
        </div>
      </div>
      <Trouble problem={packs.problem ?? all.problem} />
      {chosen && (
        <>
          {table && <OfTable key={table.name} table={table} country={chosen} />}
          <Holdouts key={`h ${chosen.name}`} country={chosen} />
          <Figures key={`f ${chosen.name}`} country={chosen} />
        </>
      )}
    </>
  );
}

/** How far two distributions are apart, as dots on a line: the nearer to the left, the better. */
function Distances(props: { rows: Row[]; name: string; dots: [string, string, string][]; caption: string; children?: preact.ComponentChildren }) {
  const value = (row: Row, key: string) => Number(row[key] ?? NaN);
  const most = Math.max(...props.rows.flatMap((row) => props.dots.map(([key]) => value(row, key))).filter(Number.isFinite), 0.001);
  return (
    <>
      <p class="key">
        {props.dots.map(([key, label, kind]) => (
          <span key={key} class="dot-key">
            <i class={`dot ${kind}`} /> {label}
          </span>
        ))}
      </p>
      <table class="distances">
        <caption class="hidden">{props.caption}</caption>
        <thead class="hidden">
          <tr>
            <th scope="col">figure</th>
            <th scope="col">distance</th>
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => {
            const values = props.dots.map(([key]) => value(row, key)).filter(Number.isFinite);
            const [from, to] = [Math.min(...values), Math.max(...values)];
            return (
              <tr key={String(row[props.name])}>
                <th scope="row" title={String(row[props.name])}>
                  {plain(String(row[props.name]))}
                </th>
                <td title={props.dots.map(([key, label]) => `${label} ${share(value(row, key))}`).join(", ")}>
                  <span class="rail">
                    <i class="span" style={{ left: `${(100 * from) / most}%`, width: `${(100 * (to - from)) / most}%` }} />
                    {props.dots.map(
                      ([key, , kind]) =>
                        Number.isFinite(value(row, key)) && (
                          <i key={key} class={`dot ${kind}`} style={{ left: `${(100 * value(row, key)) / most}%` }} />
                        ),
                    )}
                  </span>
                  <span class="figure">{share(value(row, props.dots[0]?.[0] ?? ""))}</span>
                  {row["verdict"] !== undefined && (
                    <span class={`verdict ${row["verdict"] === "agrees" ? "good" : "bad"}`}>{String(row["verdict"])}</span>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

/** What the network says of each figure is worked out once for a server. */
const Working = () => <p class="quiet">The first comparison with a country takes a while: what its network says of each figure is worked out exactly.</p>;

function OfTable({ table, country }: { table: Table; country: Country }) {
  const statement = `SELECT figure, tvd, noise_floor, verdict FROM fidelity(${named(table.name)}, ${quoted(country.name)}) ORDER BY tvd DESC`;
  const found = useAsked((signal) => sql(statement, signal), [statement]);
  const told = found.value?.rows ?? [];
  const differ = told.filter((row) => row["verdict"] === "differs").length;
  const rows = told.filter((row) => row["verdict"] === "agrees" || row["verdict"] === "differs");
  const beyond = (row: Row) => Number(row["tvd"]) - Number(row["noise_floor"]);
  const first = [...rows].sort((a, b) => Number(b["verdict"] === "differs") - Number(a["verdict"] === "differs") || beyond(b) - beyond(a)).slice(0, 24);
  const faults = useAsked(
    (signal) => sql(`SELECT check, count(*) AS n FROM validate(${named(table.name)}) GROUP BY 1 ORDER BY 2 DESC`, signal),
    [table.name],
  );
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const path = `/v1/report/${encodeURIComponent(table.name)}`;
  // A link cannot send a token: the report is fetched, and saved.
  const save = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      const url = URL.createObjectURL(new Blob([await text(path)], { type: "text/html" }));
      Object.assign(document.createElement("a"), { href: url, download: `${table.name}.html` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      setProblem(problemOf(error));
    }
    setBusy(false);
  };
  return (
    <section>
      <div class="heading">
        <h2>
          Does {table.name} agree with {country.title}? <Busy is={found.busy} what="comparing" />
        </h2>
        {signedIn() ? (
          <button type="button" class="small" onClick={save} disabled={busy}>
            {busy ? "Writing the report …" : "Save the report"}
          </button>
        ) : (
          <a class="button small" href={path} target="_blank" rel="noreferrer">
            The report
          </a>
        )}
      </div>
      {found.busy && <Working />}
      <Trouble problem={found.problem ?? problem} />
      {found.value && (
        <p class="lead">
          {differ === 0
            ? `Yes: of ${plural(rows.length, "figure")} that so many rows can tell of, none is further off than chance makes a sample of ${exactly(table.rows)}.`
            : `${differ} of ${plural(rows.length, "figure")} are further off than chance makes a sample of ${exactly(table.rows)}: as it should be where only some people were drawn.`}
          {told.length > rows.length && ` Of ${told.length - rows.length} others it has too few rows to tell.`}{" "}
          {faults.value &&
            (faults.value.rows.length === 0
              ? "No text contradicts its facts."
              : `Checks find ${faults.value.rows.map((row) => `${row["n"]} × ${plain(String(row["check"]))}`).join(", ")}.`)}
        </p>
      )}
      {rows.length > 0 && (
        <Distances
          rows={first}
          name="figure"
          caption={`Distances of ${table.name} from the figures`}
          dots={[
            ["tvd", "how far the table is off", "these"],
            ["noise_floor", "what chance does", "base"],
          ]}
        />
      )}
      {rows.length > 24 && <p class="quiet small">The 24 that are furthest off beyond chance, of {rows.length}.</p>}
    </section>
  );
}

function Holdouts({ country }: { country: Country }) {
  const statement = `SELECT figure, drift, baseline FROM fidelity((SELECT * FROM sample_persona(${quoted(country.name)}, 1000, seed => 1)), ${quoted(country.name)}, against => 'holdouts') ORDER BY drift DESC`;
  const found = useAsked((signal) => sql(statement, signal), [statement]);
  const rows = found.value?.rows ?? [];
  const better = rows.filter((row) => Number(row["drift"]) < Number(row["baseline"])).length;
  return (
    <section>
      <h2>
        Hold-outs: figures that it was not fitted to <Busy is={found.busy} what="comparing" />
      </h2>
      {found.busy && <Working />}
      <Trouble problem={found.problem} />
      {found.value && (
        <p class="lead">
          {plural(rows.length, "joint figure")} were kept from the fit. The model is nearer to {better} of them than their
          margins alone would be. A distance is the share of people who would have to be others for both to agree (total
          variation).
        </p>
      )}
      {rows.length > 0 && (
        <Distances
          rows={rows}
          name="figure"
          caption={`Distances of the model of ${country.title} from figures it was not fitted to`}
          dots={[
            ["drift", "how far the model is off", "these"],
            ["baseline", "were its columns independent", "base"],
          ]}
        />
      )}
    </section>
  );
}

function Figures({ country }: { country: Country }) {
  const known = useAsked(() => figures(country.name), [country.name]);
  const [wanted, setWanted] = useState("");
  const [shown, setShown] = useState<"fitted" | "kept">("fitted");
  const all = known.value ?? [];
  const sources = useMemo(() => {
    const by = new Map<string, { source: Figure["source"]; count: number }>();
    for (const { source } of all) {
      const key = `${source.agency}\n${source.title}\n${source.year}`;
      by.set(key, { source, count: (by.get(key)?.count ?? 0) + 1 });
    }
    return [...by.values()].sort((a, b) => b.count - a.count);
  }, [known.value]);
  const of = all.filter((f) => f.fitted === (shown === "fitted"));
  const text = wanted.trim().toLowerCase();
  const found = of.filter((f) => `${f.name} ${f.title} ${f.variables.join(" ")} ${f.source.agency}`.toLowerCase().includes(text));
  return (
    <>
      <section>
        <div class="heading">
          <h2>
            Figures <Busy is={known.busy} />
          </h2>
          <div class="actions">
            <select aria-label="Which figures" value={shown} onChange={(event) => setShown(event.currentTarget.value as "fitted")}>
              <option value="fitted">that it was fitted to ({all.filter((f) => f.fitted).length})</option>
              <option value="kept">that were kept from it ({all.filter((f) => !f.fitted).length})</option>
            </select>
            <input type="search" class="find" aria-label="Find a figure" placeholder="Find a figure" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
          </div>
        </div>
        <Trouble problem={known.problem} />
        <div class="grid tall" tabIndex={0} role="region" aria-label="Figures">
          <table class="figure-table">
            <thead>
              <tr>
                <th scope="col">figure</th>
                <th scope="col">of</th>
                <th scope="col">year</th>
                <th scope="col">status</th>
                <th scope="col" class="number">cells</th>
                <th scope="col" class="number">off by</th>
                <th scope="col">source</th>
                <th scope="col">licence</th>
              </tr>
            </thead>
            <tbody>
              {found.map((f) => (
                <tr key={f.name}>
                  <td title={f.name}>{f.title}</td>
                  <td class="quiet">{f.variables.map(plain).join(" × ")}</td>
                  <td>{f.year}</td>
                  <td>
                    <span class={`status ${f.status === "official" ? "done" : "interrupted"}`}>{f.status}</span>
                  </td>
                  <td class="number">{exactly(f.cells)}</td>
                  <td class="number">{f.distance === undefined ? "" : f.distance < 1e-6 ? "nothing" : share(f.distance)}</td>
                  <td>{f.source.agency}</td>
                  <td>{f.source.licence}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
      <section>
        <h2>Sources and licences</h2>
        <ul class="sources">
          {sources.map(({ source, count }) => (
            <li key={source.agency + source.title + source.year}>
              <b>{source.title}</b>
              <span>
                {source.agency}, {source.year} · {plural(count, "figure")} · {source.licence}
              </span>
              {source.attribution && <span class="quiet">{source.attribution}</span>}
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}
