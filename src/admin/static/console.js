/** What makes the pages live: each part is in a file of its own, and each page works without all of it. */
import { startCharts } from "./charts.js";
import { startFilters } from "./filters.js";
import { startForms } from "./forms.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startPalette } from "./palette.js";
import { startTimes } from "./times.js";

startTimes();
startCharts();
startForms();
startFilters();
startPalette();
startKeys();
startLive();
