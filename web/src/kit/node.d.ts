/** As much of node's own modules as tests of pure functions use. */
declare module "node:test" {
    export default function test(name: string, run: () => void | Promise<void>): void;
}
declare module "node:assert/strict" {
    interface Assert {
        (value: unknown, message?: string): asserts value;
        ok(value: unknown, message?: string): asserts value;
        equal(got: unknown, want: unknown, message?: string): void;
        deepEqual(got: unknown, want: unknown, message?: string): void;
        throws(run: () => unknown, error?: RegExp): void;
    }
    const assert: Assert;
    export default assert;
}
