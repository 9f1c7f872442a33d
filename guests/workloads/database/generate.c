// SPDX-License-Identifier: MIT
/*
 * generate N DIRECTORY
 *
 * Fills the tables of a decision-support database in the manner of TPC-H, one file a table,
 * DIRECTORY/NAME.tbl, fields parted by `|`, for SQLite's .import. N is the size in thousandths of
 * TPC-H's unit: 1500 N orders with 4 lines each on average. The rules for keys, dates and prices
 * follow TPC-H's where a query depends on them; texts are simpler. Money is in cents, so that sums
 * are exact. The same N gives the same bytes everywhere.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAST_DAY = 2405 }; /* of orders: 1998-08-02, counted from 1992-01-01 */

static uint64_t state;

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a number below n. Compilers differ in the order
 * in which they evaluate arguments, so no call below has two arguments with numbers drawn. */
static uint32_t any(uint32_t n)
{
	uint64_t x = state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)(((x ^ x >> 31) >> 32) * n >> 32);
}

#define ANY(list) (list)[any(sizeof(list) / sizeof((list)[0]))]

static const char *const region[] = {"AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"};
static const char *const segment[] = {
	"AUTOMOBILE", "BUILDING", "FURNITURE", "HOUSEHOLD", "MACHINERY"};
static const char *const priority[] = {"1-URGENT", "2-HIGH", "3-MEDIUM", "4-LOW", "5-NONE"};
static const char *const mode[] = {"AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"};
static const char *const instruct[] = {
	"COLLECT COD", "DELIVER IN PERSON", "NONE", "TAKE BACK RETURN"};
static const char *const grade[] = {"ECONOMY", "LARGE", "MEDIUM", "PROMO", "SMALL", "STANDARD"};
static const char *const finish[] = {"ANODIZED", "BRUSHED", "BURNISHED", "PLATED", "POLISHED"};
static const char *const metal[] = {"BRASS", "COPPER", "NICKEL", "STEEL", "TIN"};
static const char *const size[] = {"JUMBO", "LG", "MED", "SM", "WRAP"};
static const char *const vessel[] = {"BAG", "BOX", "CAN", "CASE", "DRUM", "JAR", "PACK", "PKG"};
static const char *const word[] = {"about", "accounts", "blithely", "bold", "carefully", "deposits",
	"express", "final", "furiously", "ideas", "ironic", "packages", "pending", "quickly",
	"regular", "requests", "silent", "sleep", "slyly", "special", "theodolites", "unusual"};

static FILE *table(const char *directory, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.tbl", directory, name);
	f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static void done(FILE *f)
{
	if (ferror(f) || fclose(f)) {
		perror("generate");
		exit(1);
	}
}

/* The last field of a row. */
static void remark(FILE *f, uint32_t words)
{
	for (uint32_t i = 0; i < words; i++)
		fprintf(f, "%s%s", i ? " " : "", ANY(word));
	putc('\n', f);
}

struct date {
	char text[32];
};

static struct date date(uint32_t day)
{
	static const uint32_t length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	uint32_t year = 1992, month = 0;
	struct date d;

	for (; day >= 365 + (year % 4 == 0); year++)
		day -= 365 + (year % 4 == 0);
	for (; day >= length[month] + (month == 1 && year % 4 == 0); month++)
		day -= length[month] + (month == 1 && year % 4 == 0);
	snprintf(d.text, sizeof(d.text), "%04u-%02u-%02u", year, month + 1, day + 1);
	return d;
}

static uint32_t part_price(uint32_t key)
{
	return 90000 + key / 10 % 20001 + 100 * (key % 1000);
}

static void orders(const char *directory, uint32_t n)
{
	FILE *o = table(directory, "orders"), *l = table(directory, "lineitem");
	const uint32_t today = 1263; /* 1995-06-17 */

	for (uint32_t i = 1; i <= 1500 * n; i++) {
		uint32_t key = i / 8 * 32 + i % 8, lines = 1 + any(7), day = any(LAST_DAY),
			 open = 0;
		uint64_t total = 0;
		uint32_t customer;

		do /* a third of the customers order nothing */
			customer = 1 + any(150 * n);
		while (customer % 3 == 0);
		for (uint32_t line = 1; line <= lines; line++) {
			uint32_t part = 1 + any(200 * n), quantity = 1 + any(50);
			uint32_t supplier = (part + any(4) * (10 * n / 4 + 1)) % (10 * n) + 1;
			uint32_t discount = any(11), tax = any(9),
				 price = quantity * part_price(part);
			uint32_t ship = day + 1 + any(121), commit = day + 30 + any(61);
			uint32_t receipt = ship + 1 + any(30);

			const char *returned = receipt > today ? "N" : any(2) ? "R" : "A";
			const char *how = ANY(instruct), *by = ANY(mode);

			open += ship > today;
			total += (uint64_t)price * (100 + tax) / 100 * (100 - discount) / 100;
			fprintf(l, "%u|%u|%u|%u|%u|%u|%u|%u|%s|%s|%s|%s|%s|%s|%s|", key, part,
				supplier, line, quantity, price, discount, tax, returned,
				ship > today ? "O" : "F", date(ship).text, date(commit).text,
				date(receipt).text, how, by);
			remark(l, 2 + any(4));
		}
		fprintf(o, "%u|%u|%s|%llu|%s|%s|", key, customer,
			open == lines ? "O"
			: open == 0   ? "F"
				      : "P",
			(unsigned long long)total, date(day).text, ANY(priority));
		fprintf(o, "Clerk#%09u|0|", 1 + any(n));
		remark(o, 4 + any(7));
	}
	done(o);
	done(l);
}

int main(int argc, char **argv)
{
	char *end = "?";
	unsigned long n = argc == 3 ? strtoul(argv[1], &end, 10) : 0;
	const char *directory = argv[2];
	FILE *f;

	if (*end || n < 1 || n > 1000) {
		fprintf(stderr, "usage: generate N DIRECTORY, N from 1 to 1000\n");
		return 2;
	}
	f = table(directory, "region");
	for (uint32_t i = 0; i < 5; i++)
		fprintf(f, "%u|%s\n", i, region[i]);
	done(f);
	f = table(directory, "nation");
	for (uint32_t i = 0; i < 25; i++)
		fprintf(f, "%u|%s LAND %c|%u\n", i, region[i % 5], 'A' + (char)(i / 5), i % 5);
	done(f);
	f = table(directory, "supplier");
	for (uint32_t i = 1; i <= 10 * n; i++) {
		fprintf(f, "%u|Supplier#%09u|%u|", i, i, any(25));
		fprintf(f, "%d|", (int)any(1100000) - 100000);
		remark(f, 6 + any(6));
	}
	done(f);
	f = table(directory, "customer");
	for (uint32_t i = 1; i <= 150 * n; i++) {
		fprintf(f, "%u|Customer#%09u|%u|", i, i, any(25));
		fprintf(f, "%d|", (int)any(1100000) - 100000);
		fprintf(f, "%s|", ANY(segment));
		remark(f, 6 + any(8));
	}
	done(f);
	f = table(directory, "part");
	for (uint32_t i = 1; i <= 200 * n; i++) {
		fprintf(f, "%u|%s", i, ANY(word));
		fprintf(f, " %s|", ANY(word));
		fprintf(f, "Brand#%u", 11 + any(5) + 10 * (i % 5));
		fprintf(f, "|%s", ANY(grade));
		fprintf(f, " %s", ANY(finish));
		fprintf(f, " %s|", ANY(metal));
		fprintf(f, "%u|", 1 + any(50));
		fprintf(f, "%s", ANY(size));
		fprintf(f, " %s|%u|", ANY(vessel), part_price(i));
		remark(f, 1 + any(3));
	}
	done(f);
	f = table(directory, "partsupp");
	for (uint32_t i = 1; i <= 200 * n; i++)
		for (uint32_t k = 0; k < 4; k++) {
			uint32_t supplier =
				(i + k * (10 * (uint32_t)n / 4 + 1)) % (10 * (uint32_t)n) + 1;

			fprintf(f, "%u|%u|%u|", i, supplier, 1 + any(9999));
			fprintf(f, "%u|", 100 + any(99901));
			remark(f, 8 + any(8));
		}
	done(f);
	orders(directory, (uint32_t)n);
	return 0;
}
