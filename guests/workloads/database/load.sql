-- SPDX-License-Identifier: MIT
-- The schema, in the manner of TPC-H; what generate wrote is read from the current directory. Money is in cents, dates are text
-- that sorts. The indexes are those a decision-support database would have for its keys.
PRAGMA journal_mode = off;
PRAGMA synchronous = off;
CREATE TABLE region (r_regionkey INTEGER PRIMARY KEY, r_name TEXT);
CREATE TABLE nation (n_nationkey INTEGER PRIMARY KEY, n_name TEXT, n_regionkey INTEGER);
CREATE TABLE supplier (s_suppkey INTEGER PRIMARY KEY, s_name TEXT, s_nationkey INTEGER, s_acctbal INTEGER, s_comment TEXT);
CREATE TABLE customer (c_custkey INTEGER PRIMARY KEY, c_name TEXT, c_nationkey INTEGER, c_acctbal INTEGER, c_mktsegment TEXT,
	c_comment TEXT);
CREATE TABLE part (p_partkey INTEGER PRIMARY KEY, p_name TEXT, p_brand TEXT, p_type TEXT, p_size INTEGER, p_container TEXT,
	p_retailprice INTEGER, p_comment TEXT);
CREATE TABLE partsupp (ps_partkey INTEGER, ps_suppkey INTEGER, ps_availqty INTEGER, ps_supplycost INTEGER, ps_comment TEXT);
CREATE TABLE orders (o_orderkey INTEGER PRIMARY KEY, o_custkey INTEGER, o_orderstatus TEXT, o_totalprice INTEGER, o_orderdate TEXT,
	o_orderpriority TEXT, o_clerk TEXT, o_shippriority INTEGER, o_comment TEXT);
CREATE TABLE lineitem (l_orderkey INTEGER, l_partkey INTEGER, l_suppkey INTEGER, l_linenumber INTEGER, l_quantity INTEGER,
	l_extendedprice INTEGER, l_discount INTEGER, l_tax INTEGER, l_returnflag TEXT, l_linestatus TEXT, l_shipdate TEXT,
	l_commitdate TEXT, l_receiptdate TEXT, l_shipinstruct TEXT, l_shipmode TEXT, l_comment TEXT);
.separator |
.import region.tbl region
.import nation.tbl nation
.import supplier.tbl supplier
.import customer.tbl customer
.import part.tbl part
.import partsupp.tbl partsupp
.import orders.tbl orders
.import lineitem.tbl lineitem
CREATE INDEX partsupp_part ON partsupp (ps_partkey, ps_suppkey);
CREATE INDEX orders_customer ON orders (o_custkey);
CREATE INDEX lineitem_order ON lineitem (l_orderkey);
CREATE INDEX lineitem_part ON lineitem (l_partkey, l_suppkey);
