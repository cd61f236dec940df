/** What the API tells of groups. */
export interface GroupRow {
    name: string;
    state: string;
    protocol: string;
    member_count: number;
    partition_count: number;
    lag: number;
    topics: string[];
    stream: string | null;
}
export interface Place {
    topic: string;
    partition: number;
    position: number | null;
    start: number | null;
    end: number | null;
    lag: number | null;
    member: string | null;
}
export interface Member {
    id: string;
    client: string;
    host: string;
    instance: string | null;
    partition_count: number;
}
export interface Group extends GroupRow {
    protocol_type: string;
    generation: number;
    partitions: Place[];
    members: Member[];
}
export interface Plan {
    done: boolean;
    again: number;
    skipped: number;
    partitions: { topic: string; partition: number; from: number | null; to: number; wanted: number }[];
}

/** "PreparingRebalance" -> "preparing rebalance" */
export const words = (state: string) => state.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
