// Where one is among rows: also among more of them than any element may be high. There the bar moves by more than a row,
// and a small step, by wheel, finger or key, by what it is.

/** The height of a row, as the style sheet has it. */
export const ROW = 34;

/** No element may be higher, in any browser. */
const HIGHEST = 8_000_000;

/** So near to the first and the last row the bar moves by rows too: whoever goes on comes to the end. */
const EDGE = 100_000;

/** A longer step is one of the bar, of which a single point is longer than that. */
const STEP = 5_000;

export interface Place {
  /** How far the box is scrolled */
  top: number;
  /** How far the rows are */
  y: number;
}

const within = (value: number, most: number) => Math.min(Math.max(0, value), Math.max(0, most));

export class Way {
  /** How high the element is. */
  readonly high: number;
  /** How far rows and box are scrolled at the end. */
  private readonly end: Place;
  /** By how much the bar moves for a point of the rows, between the edges. */
  private readonly scale: number;

  /** `view` is the height in which rows are seen. */
  constructor(total: number, view: number) {
    const whole = total * ROW;
    this.high = Math.min(whole, HIGHEST);
    this.end = { top: Math.max(0, this.high - view), y: Math.max(0, whole - view) };
    this.scale = whole === this.high ? 1 : (this.end.top - 2 * EDGE) / (this.end.y - 2 * EDGE);
  }

  /** Where the bar stands by right. */
  topAt(y: number): number {
    const { end, scale } = this;
    if (scale === 1 || y <= EDGE) return within(y, end.top);
    if (y >= end.y - EDGE) return within(end.top - (end.y - y), end.top);
    return EDGE + (y - EDGE) * scale;
  }

  private yAt(top: number): number {
    const { end, scale } = this;
    if (scale === 1 || top <= EDGE) return within(top, end.y);
    if (top >= end.top - EDGE) return within(end.y - (end.top - top), end.y);
    return EDGE + (top - EDGE) / scale;
  }

  /** After the box was scrolled. */
  scrolled(before: Place, top: number): Place {
    const step = top - before.top;
    const isSmall = this.scale !== 1 && Math.abs(step) <= STEP;
    return { top, y: isSmall ? within(before.y + step, this.end.y) : this.yAt(top) };
  }

  /** Where `y` is, by right. */
  at(y: number): Place {
    const to = within(y, this.end.y);
    return { top: this.topAt(to), y: to };
  }

  /** Whether the box can be scrolled no further, and the rows could. */
  isStuck({ top, y }: Place): boolean {
    return (top <= 0 && y >= 1) || (top >= this.end.top - 0.5 && y <= this.end.y - 1);
  }
}
