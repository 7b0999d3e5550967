// Numbers and names as people read them.

const whole = new Intl.NumberFormat("en");

/** A number of people or rows: 1,234; of large ones three digits count. */
export function count(n: number): string {
  if (n >= 1e9) return `${(n / 1e9).toPrecision(3)} billion`;
  if (n >= 1e7) return `${(n / 1e6).toPrecision(3)} million`;
  if (n >= 100 || Number.isInteger(n)) return whole.format(Math.round(n));
  return n >= 1 ? n.toPrecision(2) : n > 0 ? n.toPrecision(1) : "0";
}

export const exactly = (n: number) => whole.format(n);

/** A share: 12.3 %, 0.045 %, and what is rarer by powers. */
export function share(p: number): string {
  if (p === 0) return "0 %";
  if (p >= 0.9995) return "100 %";
  const percent = p * 100;
  if (percent >= 1) return `${percent.toFixed(1)} %`;
  if (percent >= 0.001) return `${Number(percent.toPrecision(2))} %`;
  return `${power(percent)} %`;
}

function power(n: number): string {
  const [digits, exponent] = n.toExponential(1).split("e");
  const raised = String(Number(exponent)).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"["0123456789".indexOf(c)] ?? "⁻");
  return `${digits} × 10${raised}`;
}

/** How rare: one in so many. */
export function oneIn(p: number): string {
  return p >= 0.95 ? "nearly everybody" : p >= 0.1 ? `1 in ${(1 / p).toPrecision(2)}` : `1 in ${count(Math.round(1 / p))}`;
}

export function bytes(n: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const at = Math.min(4, n < 1 ? 0 : Math.floor(Math.log10(n) / 3));
  return at === 0 ? `${n} bytes` : `${(n / 1000 ** at).toPrecision(3)} ${units[at]}`;
}

/** A column or level in plain words: `education_level` is education level. */
export const plain = (name: string) => name.replaceAll("_", " ");

export function title(name: string): string {
  const words = plain(name);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A moment of the server, in UTC, as it is here. */
export function moment(at: string): string {
  const date = new Date(/Z|[+-]\d\d:?\d\d$/.test(at) ? at : `${at.replace(" ", "T")}Z`);
  if (Number.isNaN(date.getTime())) return at;
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

export const plural = (n: number, one: string, many = `${one}s`) => `${exactly(n)} ${n === 1 ? one : many}`;

/** A country as an English text has it: its name in the functions is an English one. */
export const countryName = (name: string) => (name.length <= 3 ? name.toUpperCase() : title(name));

/** A country within a sentence: the USA. */
export const ofCountry = (name: string) => (name.length <= 3 ? `the ${countryName(name)}` : countryName(name));
