/** Goal: a person reads when a dag runs without knowing cron. Method: expressions of every kind, and their sentences. */
import assert from "node:assert/strict";
import test from "node:test";
import { cronWords, intervalWords, scheduleWords } from "./schedule";

const SENTENCES: [string, string | null][] = [
    ["* * * * *", "every minute"],
    ["*/1 * * * *", "every minute"],
    ["*/5 * * * *", "every 5 minutes"],
    ["2/5 * * * *", "every 5 minutes from :02"],
    ["*/25 * * * *", "every hour at :00, :25 and :50"],
    ["0 * * * *", "every hour"],
    ["@hourly", "every hour"],
    ["30 * * * *", "every hour at :30"],
    ["0,15,45 * * * *", "every hour at :00, :15 and :45"],
    ["@daily", "every day at 00:00"],
    ["0 0 * * *", "every day at 00:00"],
    ["0 9,17 * * *", "every day at 09:00 and 17:00"],
    ["0,30 9 * * *", "every day at 09:00 and 09:30"],
    ["0 9 * * 1-5", "Monday to Friday at 09:00"],
    ["0 9 * * mon-fri", "Monday to Friday at 09:00"],
    ["0 9 * * MON", "every Monday at 09:00"],
    ["0 9 * * 1,3,5", "Monday, Wednesday and Friday at 09:00"],
    ["0 9 * * 0,6", "Saturday and Sunday at 09:00"],
    ["0 9 * * 5-7", "Friday to Sunday at 09:00"],
    ["0 9 * * fri-mon", "Friday to Monday at 09:00"],
    ["0 9 * * 7", "every Sunday at 09:00"],
    ["@weekly", "every Sunday at 00:00"],
    ["0 */6 * * *", "every 6 hours"],
    ["15 */6 * * *", "every 6 hours from 00:15"],
    ["0 */7 * * *", "every day at 00:00, 07:00, 14:00 and 21:00"],
    ["*/10 9-17 * * mon-fri", "every 10 minutes from 09:00 to 17:59, Monday to Friday"],
    ["0 8-20 * * *", "every hour from 08:00 to 20:00"],
    ["*/5 * * * wed", "every 5 minutes, every Wednesday"],
    ["@monthly", "on the 1st of each month at 00:00"],
    ["0 12 1,15 * *", "on the 1st and the 15th of each month at 12:00"],
    ["0 12 1-7 * *", "on the 1st to 7th of each month at 12:00"],
    ["0 0 */2 * *", "on every 2nd day of each month at 00:00"],
    ["@quarterly", "on the 1st of every 3rd month at 00:00"],
    ["@yearly", "on 1 January at 00:00"],
    ["30 23 24 dec *", "on 24 December at 23:30"],
    ["0 0 * 6-8 *", "every day in June to August at 00:00"],
    ["0 0 * 1,7 mon", "every Monday in January and July at 00:00"],
    ["0 0 L * *", "on the last day of each month at 00:00"],
    ["0 18 * * L5", "on the last Friday of each month at 18:00"],
    ["0 18 * * 2#3", "on the third Tuesday of each month at 18:00"],
    ["0 0 13 * 5", "on the 13th of each month and every Friday at 00:00"],
    ["0 0 13 * mon-fri", "on the 13th of each month and on Monday to Friday at 00:00"],
    ["* * * * * *", "every second"],
    ["* * * * * */15", "every 15 seconds"],
    ["30 9 * * * 15", "every day at 09:30:15"],
    ["0 0 1 1 * 0 2030", "on 1 January at 00:00 in 2030"],
    ["0 0 31 2", null],
    ["61 * * * *", null],
    ["nonsense", null],
    ["0 0 13 * 5#1", null],
    ["<img src=x> * * * *", null],
];

test("expressions in words", () => {
    for (const [cron, words] of SENTENCES) assert.equal(cronWords(cron)?.text ?? null, words, cron);
});

test("intervals of time", () => {
    assert.equal(intervalWords("0:05:00"), "every 5 minutes");
    assert.equal(intervalWords("1:30:00"), "every 1 hour 30 minutes");
    assert.equal(intervalWords("1 day, 0:00:00"), "every day");
    assert.equal(intervalWords("2 days, 12:00:00"), "every 2 days 12 hours");
    assert.equal(intervalWords("0:00:01"), "every second");
    assert.equal(intervalWords("0:00:00.500000"), "every 0.5 seconds");
    assert.equal(intervalWords("relativedelta(months=+1)"), "every month");
    assert.equal(intervalWords("relativedelta(months=+2, days=+3)"), "every 2 months 3 days");
    assert.equal(intervalWords("soon"), null);
});

test("whole schedules", () => {
    assert.equal(scheduleWords({ timetable_summary: "None" }), "by hand");
    assert.equal(scheduleWords({ timetable_summary: null }), "by hand");
    assert.equal(scheduleWords({ timetable_summary: "@once" }), "once");
    assert.equal(scheduleWords({ timetable_summary: "@continuous" }), "again as soon as a run has ended");
    assert.equal(scheduleWords({ timetable_summary: "0 9 * * 1-5", timezone: "Europe/Berlin" }), "Monday to Friday at 09:00 Europe/Berlin");
    assert.equal(scheduleWords({ timetable_summary: "0 0 * * *" }), "every day at 00:00 UTC");
    assert.equal(scheduleWords({ timetable_summary: "*/5 * * * *", timezone: "Asia/Tokyo" }), "every 5 minutes");
    assert.equal(scheduleWords({ timetable_summary: "Dataset", asset_expression: { any: [{ asset: { name: "users" } }, { asset: { name: "orders" } }] } }), "when users or orders has changed");
    assert.equal(scheduleWords({ timetable_summary: "Dataset", asset_expression: { all: [{ asset: { name: "users" } }, { asset: { name: "orders" } }] } }), "when users and orders have changed");
    assert.equal(scheduleWords({ timetable_summary: "Dataset" }), "when data has changed");
    assert.equal(scheduleWords({ timetable_summary: "0 0 13 * 5#1", timetable_description: "At 00:00, on the 13th" }), "At 00:00, on the 13th");
    assert.equal(scheduleWords({ timetable_summary: "0 0 13 * 5#1" }), "0 0 13 * 5#1");
});
