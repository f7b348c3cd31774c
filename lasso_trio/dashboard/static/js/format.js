/* Numbers as people read them. Pure: a value in, a short text out; `–` is "not known", never 0. */

export const NONE = "–";
const known = (value) => typeof value === "number" && Number.isFinite(value);

/** 1234567 → "1,234,567"; 0.37 → "0.37". */
export function count(value) {
  if (!known(value)) return NONE;
  return value.toLocaleString("en-US", { maximumFractionDigits: Number.isInteger(value) ? 0 : 2 });
}

/** 12 345 678 → "12.3M": for narrow columns. */
export function short(value) {
  if (!known(value)) return NONE;
  if (Math.abs(value) < 10_000) return count(value);
  return value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 1 });
}

/** A rate per second: two digits that matter, no more. */
export function rate(value) {
  if (!known(value)) return NONE;
  return value >= 100 ? count(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(value ? 2 : 0);
}

/** Milliseconds without their unit: 0.834 → "0.83", 12.31 → "12.3", 1520 → "1,520". */
export function ms(value) {
  if (!known(value)) return NONE;
  return value >= 100 ? count(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Milliseconds with their unit, seconds from 10 000 on. */
export const msUnit = (value) => (known(value) ? (value < 10_000 ? `${ms(value)} ms` : duration(value)) : NONE);

/** A share of 1 → "99.95 %"; 100 % only when it is exactly that. */
export function percent(share, digits = 2) {
  if (!known(share)) return NONE;
  const text = (100 * share).toFixed(digits);
  if (share < 1 && Number(text) === 100) return `>${(100 - 10 ** -digits).toFixed(digits)} %`;
  return `${Number(text)} %`;
}

/** Milliseconds → "850 ms", "12 s", "3 min", "2 h", "4 d". */
export function duration(value) {
  if (!known(value)) return NONE;
  if (value < 1000) return `${Math.round(value)} ms`;
  const seconds = value / 1000;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** Seconds of the epoch, or an ISO text → local "14:03:07". */
export function clock(when) {
  const date = typeof when === "number" ? new Date(when * 1000) : new Date(when);
  return Number.isNaN(date.getTime()) ? NONE : date.toLocaleTimeString("en-GB");
}

/** Bytes → "12.3 MiB". */
export function bytes(value) {
  if (!known(value)) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = Math.min(units.length - 1, value > 0 ? Math.floor(Math.log2(value) / 10) : 0);
  return `${(value / 1024 ** step).toFixed(step && value / 1024 ** step < 100 ? 1 : 0)} ${units[step]}`;
}

/** How far behind the head: 0 → "at the head", -6 → "6 blocks behind". Lag below zero is behind. */
export function lag(value) {
  if (!known(value)) return "height unknown";
  if (value === 0) return "at the head";
  const blocks = `${count(Math.abs(value))} block${Math.abs(value) === 1 ? "" : "s"}`;
  return value < 0 ? `${blocks} behind` : `${blocks} ahead`;
}

export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
