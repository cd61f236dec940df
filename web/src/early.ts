/** Runs before the first paint: the document's own picture comes in the colours that were chosen. */
import { keptTheme, wear } from "./kit/kept";

wear(keptTheme());
