/* The one door to vendored code: what the components use of Preact and htm. */
export { html, render, useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useErrorBoundary } from "../vendor/preact-htm.js";
