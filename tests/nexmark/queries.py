"""Nexmark's queries as Sluice runs them, and as DuckDB answers them over the same records.

Each row: name, what holds the answer (a topic, or a view with its key), our SQL, DuckDB's SQL. The words are those of
Flink's suite (github.com/nexmark/nexmark); where rows of one time tie, `extra` decides, in both. Windows that the last
record's watermark has not closed are in neither.
"""

TOPICS = """
CREATE TOPIC person (id BIGINT, name TEXT, email_address TEXT, credit_card TEXT, city TEXT, state TEXT, date_time TIMESTAMP, extra TEXT)
  WATERMARK FOR date_time DELAY '4s' WITH (partitions = 1);
CREATE TOPIC auction (id BIGINT, item_name TEXT, description TEXT, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP,
    expires TIMESTAMP, seller BIGINT, category BIGINT, extra TEXT)
  WATERMARK FOR date_time DELAY '4s' WITH (partitions = 1);
CREATE TOPIC bid (auction BIGINT, bidder BIGINT, price BIGINT, channel TEXT, url TEXT, date_time TIMESTAMP, extra TEXT)
  WATERMARK FOR date_time DELAY '4s' WITH (partitions = 3);
"""

HOP = "HOP(TABLE bid, DESCRIPTOR(date_time), INTERVAL '2' SECOND, INTERVAL '10' SECOND)"
# DuckDB: one row a bid and window
HOPPED = "(SELECT *, unnest(range(t // 2000 * 2000 - 8000, t // 2000 * 2000 + 1, 2000)) AS ws FROM (SELECT *, epoch_ms(date_time) AS t FROM bid))"
RANKS = """count(*) AS total_bids, count(*) FILTER (WHERE price < 10000) AS rank1_bids,
    count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids, count(*) FILTER (WHERE price >= 1000000) AS rank3_bids"""
PEOPLE = """count(DISTINCT bidder) AS total_bidders, count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders,
    count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders, count(DISTINCT auction) AS total_auctions,
    count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions"""
JOINED = "FROM auction A, bid B WHERE A.id = B.auction AND B.date_time BETWEEN A.date_time AND A.expires"

TOPIC, VIEW = "topic", "view"
QUERIES = [
    ("q0", TOPIC, "SELECT auction, bidder, price, date_time, extra FROM bid",
     "SELECT auction, bidder, price, date_time, extra FROM bid"),
    ("q1", TOPIC, "SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid",
     "SELECT auction, bidder, CAST(0.908 AS DOUBLE) * price AS price, date_time, extra FROM bid"),
    ("q2", TOPIC, "SELECT auction, price FROM bid WHERE mod(auction, 123) = 0",
     "SELECT auction, price FROM bid WHERE auction % 123 = 0"),
    ("q3", TOPIC, """SELECT P.name, P.city, P.state, A.id FROM auction AS A INNER JOIN person AS P ON A.seller = P.id
      WHERE A.category = 10 AND (P.state = 'or' OR P.state = 'id' OR P.state = 'ca')""", None),
    ("q4", VIEW, f"""SELECT Q.category, AVG(Q.final) AS price FROM (
      SELECT MAX(B.price) AS final, A.category {JOINED} GROUP BY A.id, A.category) Q GROUP BY Q.category""", None),
    ("q5", TOPIC, f"""SELECT AuctionBids.auction, AuctionBids.num, AuctionBids.endtime FROM (
        SELECT auction, count(*) AS num, window_start AS starttime, window_end AS endtime FROM TABLE({HOP})
        GROUP BY auction, window_start, window_end) AS AuctionBids
      JOIN (SELECT max(CountBids.num) AS maxn, CountBids.starttime, CountBids.endtime FROM (
          SELECT count(*) AS num, window_start AS starttime, window_end AS endtime FROM TABLE({HOP})
          GROUP BY auction, window_start, window_end) AS CountBids
        GROUP BY CountBids.starttime, CountBids.endtime) AS MaxBids
      ON AuctionBids.starttime = MaxBids.starttime AND AuctionBids.endtime = MaxBids.endtime AND AuctionBids.num >= MaxBids.maxn""",
     f"""WITH c AS (SELECT auction, count(*) AS num, ws FROM {HOPPED} GROUP BY auction, ws)
      SELECT auction, num, make_timestamp((ws + 10000) * 1000) AS endtime FROM c WHERE ws + 10000 <= $end
      AND num = (SELECT max(num) FROM c AS d WHERE d.ws = c.ws)"""),
    ("q7", TOPIC, """SELECT B.auction, B.price, B.bidder, B.date_time, B.extra FROM bid B JOIN (
        SELECT MAX(price) AS maxprice, window_end AS date_time
        FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) GROUP BY window_start, window_end) B1
      ON B.price = B1.maxprice WHERE B.date_time BETWEEN B1.date_time - INTERVAL '10' SECOND AND B1.date_time""",
     """WITH w AS (SELECT max(price) AS maxprice, epoch_ms(date_time) // 10000 * 10000 + 10000 AS e FROM bid GROUP BY e)
      SELECT auction, price, bidder, date_time, extra FROM bid, w WHERE price = maxprice AND e <= $end
      AND epoch_ms(date_time) BETWEEN e - 10000 AND e"""),
    ("q8", TOPIC, """SELECT P.id, P.name, P.starttime FROM (
        SELECT id, name, window_start AS starttime, window_end AS endtime
        FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) GROUP BY id, name, window_start, window_end) P
      JOIN (SELECT seller, window_start AS starttime, window_end AS endtime
        FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) GROUP BY seller, window_start, window_end) A
      ON P.id = A.seller AND P.starttime = A.starttime AND P.endtime = A.endtime""",
     """SELECT DISTINCT p.id, p.name, make_timestamp(epoch_ms(p.date_time) // 10000 * 10000000) AS starttime FROM person p, auction a
      WHERE p.id = a.seller AND epoch_ms(p.date_time) // 10000 = epoch_ms(a.date_time) // 10000
      AND epoch_ms(p.date_time) // 10000 * 10000 + 10000 <= $end"""),
    ("q9", VIEW, f"""SELECT id, item_name, seller, category, auction, bidder, price, bid_date_time FROM (
      SELECT A.id, A.item_name, A.seller, A.category, B.auction, B.bidder, B.price, B.date_time AS bid_date_time,
        ROW_NUMBER() OVER (PARTITION BY A.id ORDER BY B.price DESC, B.date_time ASC, B.extra ASC) AS rownum
      {JOINED}) WHERE rownum <= 1""",
     f"""SELECT id, item_name, seller, category, auction, bidder, price, bid_date_time FROM (
      SELECT A.id, A.item_name, A.seller, A.category, B.auction, B.bidder, B.price, B.date_time AS bid_date_time,
        ROW_NUMBER() OVER (PARTITION BY A.id ORDER BY B.price DESC, B.date_time ASC, B.extra ASC) AS rownum
      {JOINED}) t WHERE rownum <= 1"""),
    ("q11", TOPIC, """SELECT bidder, count(*) AS bid_count, window_start AS starttime, window_end AS endtime
      FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(date_time), INTERVAL '10' SECOND))
      GROUP BY bidder, window_start, window_end""",
     """WITH e AS (SELECT bidder, epoch_ms(date_time) AS t FROM bid),
      f AS (SELECT *, CASE WHEN t - lag(t) OVER w <= 10000 THEN 0 ELSE 1 END AS fresh FROM e WINDOW w AS (PARTITION BY bidder ORDER BY t)),
      s AS (SELECT *, sum(fresh) OVER (PARTITION BY bidder ORDER BY t ROWS UNBOUNDED PRECEDING) AS n FROM f)
      SELECT bidder, count(*) AS bid_count, make_timestamp(min(t) * 1000) AS starttime, make_timestamp((max(t) + 10000) * 1000) AS endtime
      FROM s GROUP BY bidder, n HAVING max(t) + 10000 <= $end"""),
    ("q12", VIEW, """SELECT bidder, window_start, count(*) AS bid_count
      FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(_timestamp), INTERVAL '10' SECOND)) GROUP BY bidder, window_start, window_end""",
     "SELECT bidder, count(*) AS bid_count FROM bid GROUP BY bidder"),
    ("q14", TOPIC, """SELECT auction, bidder, 0.908 * price AS price,
        CASE WHEN HOUR(date_time) >= 8 AND HOUR(date_time) <= 18 THEN 'dayTime'
          WHEN HOUR(date_time) <= 6 OR HOUR(date_time) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidtimetype,
        date_time, extra, count_char(extra, 'c') AS c_counts
      FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000""",
     """SELECT auction, bidder, CAST(0.908 AS DOUBLE) * price AS price,
        CASE WHEN HOUR(date_time) >= 8 AND HOUR(date_time) <= 18 THEN 'dayTime'
          WHEN HOUR(date_time) <= 6 OR HOUR(date_time) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidtimetype,
        date_time, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts
      FROM bid WHERE CAST(0.908 AS DOUBLE) * price > 1000000 AND CAST(0.908 AS DOUBLE) * price < 50000000"""),
    ("q15", VIEW, f"SELECT date_format(date_time, 'yyyy-MM-dd') AS day, {RANKS}, {PEOPLE} FROM bid GROUP BY date_format(date_time, 'yyyy-MM-dd')",
     f"SELECT strftime(date_time, '%Y-%m-%d') AS day, {RANKS}, {PEOPLE} FROM bid GROUP BY day"),
    ("q16", VIEW, f"""SELECT channel, date_format(date_time, 'yyyy-MM-dd') AS day, max(date_format(date_time, 'HH:mm')) AS minute, {RANKS}, {PEOPLE}
      FROM bid GROUP BY channel, date_format(date_time, 'yyyy-MM-dd')""",
     f"""SELECT channel, strftime(date_time, '%Y-%m-%d') AS day, max(strftime(date_time, '%H:%M')) AS minute, {RANKS}, {PEOPLE}
      FROM bid GROUP BY channel, day"""),
    ("q17", VIEW, f"""SELECT auction, date_format(date_time, 'yyyy-MM-dd') AS day, {RANKS}, min(price) AS min_price, max(price) AS max_price,
      avg(price) AS avg_price, sum(price) AS sum_price FROM bid GROUP BY auction, date_format(date_time, 'yyyy-MM-dd')""",
     f"""SELECT auction, strftime(date_time, '%Y-%m-%d') AS day, {RANKS}, min(price) AS min_price, max(price) AS max_price,
      avg(price) AS avg_price, sum(price) AS sum_price FROM bid GROUP BY auction, day"""),
    ("q18", VIEW, """SELECT bidder, auction, price, channel, url, date_time, extra FROM (
      SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, extra DESC) AS rank_number FROM bid)
      WHERE rank_number <= 1""",
     """SELECT bidder, auction, price, channel, url, date_time, extra FROM (
      SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, extra DESC) AS rank_number FROM bid)
      WHERE rank_number <= 1"""),
    ("q19", VIEW, """SELECT auction, rank_number, bidder, price, date_time, extra FROM (
      SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC, date_time, extra) AS rank_number FROM bid)
      WHERE rank_number <= 10""", None),
    ("q20", TOPIC, """SELECT B.auction, bidder, price, channel, url, B.date_time AS bid_date_time, B.extra AS bid_extra, item_name, description,
        initial_bid, reserve, A.date_time AS auction_date_time, A.expires, seller, category, A.extra AS auction_extra
      FROM bid AS B INNER JOIN auction AS A ON B.auction = A.id WHERE A.category = 10""", None),
    ("q22", TOPIC, """SELECT auction, bidder, price, channel, split_index(url, '/', 3) AS dir1, split_index(url, '/', 4) AS dir2,
      split_index(url, '/', 5) AS dir3 FROM bid""",
     """SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2,
      split_part(url, '/', 6) AS dir3 FROM bid"""),
]
# by the time of arrival: which window a bid falls into nobody can say before, so windows are added up
FOLDED = {"q12": ("bidder", "bid_count")}
KEYS = {"q12": "(bidder), window_start", "q4": "category", "q9": "id", "q15": "day", "q16": "(channel), day", "q17": "(auction), day", "q18": "(bidder), auction",
        "q19": "(auction), rank_number"}


def topics(name):
    """What a query reads; one that goes by the time of arrival says so of its topics."""
    return TOPICS.replace("FOR date_time DELAY '4s'", "FOR _timestamp DELAY '0s'") if name in FOLDED else TOPICS


def statement(name, holder, sql):
    """The statement that runs a query for good."""
    if holder == VIEW:
        return f"CREATE MATERIALIZED VIEW nexmark.{name} PRIMARY KEY ({KEYS[name]}) AS {sql};\n"
    return f"CREATE TOPIC {name} WITH (partitions = 1);\nCREATE STREAM {name}_stream INTO TOPIC {name} AS {sql};\n"
