// Some of them, drawn and written up.

import { type Country, type Variable, sql } from "../api";
import { Card } from "../person";
import { Busy, Trouble, useAsked } from "../ui";

interface Props {
  country: Country;
  variables: Variable[];
  statement: string;
  onOthers: () => void;
  onKeep: () => void;
}

export function Drawn({ statement, onOthers, onKeep }: Props) {
  const drawn = useAsked((signal) => sql(statement, signal), [statement], 150);
  return (
    <section class="drawn">
      <div class="heading">
        <h2>
          Some of them <Busy is={drawn.busy} what="drawing" />
        </h2>
        <div class="actions">
          <button type="button" onClick={onOthers}>
            Draw others
          </button>
          <button type="button" class="first" onClick={onKeep}>
            Keep as a table …
          </button>
        </div>
      </div>
      <Trouble problem={drawn.problem} />
      <div class="cards">
        {drawn.value?.rows.map((row) => <Card key={String(row["uuid"])} columns={drawn.value?.columns ?? []} row={row} />)}
        {!drawn.value && !drawn.problem && [1, 2, 3].map((n) => <div key={n} class="card empty" />)}
      </div>
    </section>
  );
}
