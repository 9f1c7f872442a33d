-- SPDX-License-Identifier: MIT
-- Decision-support queries after the shapes of TPC-H's, whose numbers they have. All arithmetic is on integers and every result
-- has one order, so that the output is the same for every version of SQLite, and for PostgreSQL, whose sums are not integers
-- until they are cast; run says how lines that begin with a dot or PRAGMA become psql's. SQLite maps the database, and does not
-- read it: all who query it use the same pages.
.output /dev/null
PRAGMA mmap_size = 2000000000;
PRAGMA temp_store = memory;
.output

.print Q1: lines shipped, by state
SELECT l_returnflag, l_linestatus, SUM(l_quantity), SUM(l_extendedprice), SUM(l_extendedprice * (100 - l_discount)),
	SUM(l_extendedprice * (100 - l_discount) * (100 + l_tax)), CAST(SUM(l_quantity) AS BIGINT) / COUNT(*),
	CAST(SUM(l_extendedprice) AS BIGINT) / COUNT(*), CAST(SUM(l_discount) * 1000 AS BIGINT) / COUNT(*), COUNT(*)
FROM lineitem
WHERE l_shipdate <= '1998-09-02'
GROUP BY l_returnflag, l_linestatus
ORDER BY l_returnflag, l_linestatus;

.print Q3: the largest orders not yet shipped
SELECT l_orderkey, SUM(l_extendedprice * (100 - l_discount)) AS revenue, o_orderdate, o_shippriority
FROM customer, orders, lineitem
WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = o_orderkey
	AND o_orderdate < '1995-03-15' AND l_shipdate > '1995-03-15'
GROUP BY l_orderkey, o_orderdate, o_shippriority
ORDER BY revenue DESC, o_orderdate, l_orderkey
LIMIT 10;

.print Q4: late orders by priority
SELECT o_orderpriority, COUNT(*)
FROM orders
WHERE o_orderdate >= '1993-07-01' AND o_orderdate < '1993-10-01'
	AND EXISTS (SELECT * FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate)
GROUP BY o_orderpriority
ORDER BY o_orderpriority;

.print Q5: revenue where customer and supplier are of one nation
SELECT n_name, SUM(l_extendedprice * (100 - l_discount)) AS revenue
FROM customer, orders, lineitem, supplier, nation, region
WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey AND c_nationkey = s_nationkey
	AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey AND r_name = 'ASIA'
	AND o_orderdate >= '1994-01-01' AND o_orderdate < '1996-01-01'
GROUP BY n_name
ORDER BY revenue DESC, n_name;

.print Q6: what less discount would have brought
SELECT SUM(l_extendedprice * l_discount)
FROM lineitem
WHERE l_shipdate >= '1994-01-01' AND l_shipdate < '1995-01-01' AND l_discount BETWEEN 5 AND 7 AND l_quantity < 24;

.print Q9: profit by nation and year
SELECT nation, year, SUM(amount)
FROM (SELECT n_name AS nation, substr(o_orderdate, 1, 4) AS year,
		l_extendedprice * (100 - l_discount) / 100 - ps_supplycost * l_quantity AS amount
	FROM part, supplier, lineitem, partsupp, orders, nation
	WHERE s_suppkey = l_suppkey AND ps_suppkey = l_suppkey AND ps_partkey = l_partkey AND p_partkey = l_partkey
		AND o_orderkey = l_orderkey AND s_nationkey = n_nationkey AND p_name LIKE '%ironic%') AS line
GROUP BY nation, year
ORDER BY nation, year DESC;

.print Q10: customers who returned most
SELECT c_custkey, c_name, SUM(l_extendedprice * (100 - l_discount)) AS revenue, c_acctbal, n_name
FROM customer, orders, lineitem, nation
WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate >= '1993-10-01' AND o_orderdate < '1994-01-01'
	AND l_returnflag = 'R' AND c_nationkey = n_nationkey
GROUP BY c_custkey, c_name, c_acctbal, n_name
ORDER BY revenue DESC, c_custkey
LIMIT 20;

.print Q12: late lines by the way of shipping
SELECT l_shipmode, SUM(CASE WHEN o_orderpriority < '3' THEN 1 ELSE 0 END), SUM(CASE WHEN o_orderpriority < '3' THEN 0 ELSE 1 END)
FROM orders, lineitem
WHERE o_orderkey = l_orderkey AND l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate
	AND l_shipdate < l_commitdate AND l_receiptdate >= '1994-01-01' AND l_receiptdate < '1995-01-01'
GROUP BY l_shipmode
ORDER BY l_shipmode;

.print Q13: how many customers have how many orders
SELECT orders, COUNT(*) AS customers
FROM (SELECT c_custkey, COUNT(o_orderkey) AS orders
	FROM customer LEFT JOIN orders ON c_custkey = o_custkey AND o_comment NOT LIKE '%special%requests%'
	GROUP BY c_custkey) AS customer_orders
GROUP BY orders
ORDER BY customers DESC, orders DESC;

.print Q14: share of revenue from promotions
SELECT CAST(10000 * SUM(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (100 - l_discount) ELSE 0 END) AS BIGINT)
	/ CAST(SUM(l_extendedprice * (100 - l_discount)) AS BIGINT)
FROM lineitem, part
WHERE l_partkey = p_partkey AND l_shipdate >= '1995-09-01' AND l_shipdate < '1995-10-01';

.print Q17: small orders of parts in boxes
SELECT CAST(SUM(l_extendedprice) AS BIGINT) / 7
FROM lineitem, part
WHERE p_partkey = l_partkey AND p_container LIKE '% BOX'
	AND l_quantity * 5 < (SELECT CAST(SUM(l_quantity) AS BIGINT) / COUNT(*) FROM lineitem WHERE l_partkey = p_partkey);

.print Q18: customers with the largest orders
SELECT c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, SUM(l_quantity)
FROM customer, orders, lineitem
WHERE o_orderkey IN (SELECT l_orderkey FROM lineitem GROUP BY l_orderkey HAVING SUM(l_quantity) > 250)
	AND c_custkey = o_custkey AND o_orderkey = l_orderkey
GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
ORDER BY o_totalprice DESC, o_orderdate, o_orderkey
LIMIT 100;
