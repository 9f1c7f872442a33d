// SPDX-License-Identifier: MIT
/*
 * The decoder, its table and the disassembler. What each word means is told by GNU binutils: the
 * two tables of expectations were made with its assembler and disassembler, so they share nothing
 * with insn.def. Which compressed words are reserved is written out again from the specification's
 * chapter "C".
 */
#include <stdio.h>
#include <string.h>

#include "monitor/engine/sim/decode.h"
#include "tests/small-machine.h"

/* One word for each row of insn.def, in its order, seen at address 0x10000; one blank before the
 * operands. */
static const struct {
	uint32_t word;
	const char *text;
} known[] = {
	{0x3768bcb7, "lui s9,0x3768b"},
	{0x7e8fad17, "auipc s10,0x7e8fa"},
	{0x6c486aef, "jal s5,0x966c4"},
	{0x7fe10467, "jalr s0,2046(sp)"},
	{0xbb130b63, "beq t1,a7,0xf3b6"},
	{0x28509563, "bne ra,t0,0x1028a"},
	{0xfee1c663, "blt gp,a4,0xf7ec"},
	{0x4cb0d3e3, "bge ra,a1,0x10cc6"},
	{0x9a45e3e3, "bltu a1,tp,0xf9a6"},
	{0x94c47663, "bgeu s0,a2,0xf14c"},
	{0xa0618b83, "lb s7,-1530(gp)"},
	{0x148a1203, "lh tp,328(s4)"},
	{0x2452a003, "lw zero,581(t0)"},
	{0xb01fb803, "ld a6,-1279(t6)"},
	{0x3a3d4403, "lbu s0,931(s10)"},
	{0x29e45f03, "lhu t5,670(s0)"},
	{0x2367e483, "lwu s1,566(a5)"},
	{0x71748b23, "sb s7,1814(s1)"},
	{0xa3021e23, "sh a6,-1476(tp)"},
	{0xf845a623, "sw tp,-116(a1)"},
	{0x66c13523, "sd a2,1642(sp)"},
	{0x16f40893, "addi a7,s0,367"},
	{0x00502013, "mark 5"}, /* ours: GNU knows the HINT as slti zero,zero,5 */
	{0xfaa22193, "slti gp,tp,-86"},
	{0x0a39b593, "sltiu a1,s3,163"},
	{0xd9c54893, "xori a7,a0,-612"},
	{0x70836e93, "ori t4,t1,1800"},
	{0x7aba7c93, "andi s9,s4,1963"},
	{0x00d91393, "slli t2,s2,13"},
	{0x03e0d313, "srli t1,ra,62"},
	{0x41135513, "srai a0,t1,17"},
	{0x015b0733, "add a4,s6,s5"},
	{0x40b78733, "sub a4,a5,a1"},
	{0x00329bb3, "sll s7,t0,gp"},
	{0x01402eb3, "slt t4,zero,s4"},
	{0x00593ab3, "sltu s5,s2,t0"},
	{0x00f6c333, "xor t1,a3,a5"},
	{0x0162df33, "srl t5,t0,s6"},
	{0x4173da33, "sra s4,t2,s7"},
	{0x00e3e9b3, "or s3,t2,a4"},
	{0x00e9fb33, "and s6,s3,a4"},
	{0x24a6061b, "addiw a2,a2,586"},
	{0x0083939b, "slliw t2,t2,8"},
	{0x006e561b, "srliw a2,t3,6"},
	{0x4160529b, "sraiw t0,zero,22"},
	{0x002806bb, "addw a3,a6,sp"},
	{0x41be03bb, "subw t2,t3,s11"},
	{0x01f5943b, "sllw s0,a1,t6"},
	{0x01d45abb, "srlw s5,s0,t4"},
	{0x41ffddbb, "sraw s11,t6,t6"},
	{0x0100000f, "pause"},
	{0x0ff0000f, "fence"},
	{0x0000100f, "fence.i"},
	{0x00000073, "ecall"},
	{0x00100073, "ebreak"},
	{0x180c9173, "csrrw sp,satp,s9"},
	{0x180ca0f3, "csrrs ra,satp,s9"},
	{0x342ab6f3, "csrrc a3,mcause,s5"},
	{0xc012d3f3, "csrrwi t2,time,5"},
	{0x342de673, "csrrsi a2,mcause,27"},
	{0x1808fc73, "csrrci s8,satp,17"},
	{0x10200073, "sret"},
	{0x30200073, "mret"},
	{0x10500073, "wfi"},
	{0x12dd8073, "sfence.vma s11,a3"},
	{0x024b80b3, "mul ra,s7,tp"},
	{0x03e19033, "mulh zero,gp,t5"},
	{0x03a9acb3, "mulhsu s9,s3,s10"},
	{0x02a6b7b3, "mulhu a5,a3,a0"},
	{0x02e1cab3, "div s5,gp,a4"},
	{0x02a0de33, "divu t3,ra,a0"},
	{0x022f6733, "rem a4,t5,sp"},
	{0x038c7fb3, "remu t6,s8,s8"},
	{0x038400bb, "mulw ra,s0,s8"},
	{0x037041bb, "divw gp,zero,s7"},
	{0x02bfdcbb, "divuw s9,t6,a1"},
	{0x0239e33b, "remw t1,s3,gp"},
	{0x03ec7cbb, "remuw s9,s8,t5"},
	{0x100fa02f, "lr.w zero,(t6)"},
	{0x18d92a2f, "sc.w s4,a3,(s2)"},
	{0x1007372f, "lr.d a4,(a4)"},
	{0x19483c2f, "sc.d s8,s4,(a6)"},
	{0x095ca6af, "amoswap.w a3,s5,(s9)"},
	{0x010729af, "amoadd.w s3,a6,(a4)"},
	{0x212ba2af, "amoxor.w t0,s2,(s7)"},
	{0x60dfac2f, "amoand.w s8,a3,(t6)"},
	{0x41f12aaf, "amoor.w s5,t6,(sp)"},
	{0x808f24af, "amomin.w s1,s0,(t5)"},
	{0xa00aaa2f, "amomax.w s4,zero,(s5)"},
	{0xc0a52d2f, "amominu.w s10,a0,(a0)"},
	{0xe035262f, "amomaxu.w a2,gp,(a0)"},
	{0x09cfbbaf, "amoswap.d s7,t3,(t6)"},
	{0x01eb3eaf, "amoadd.d t4,t5,(s6)"},
	{0x205f3a2f, "amoxor.d s4,t0,(t5)"},
	{0x611134af, "amoand.d s1,a7,(sp)"},
	{0x4010382f, "amoor.d a6,ra,(zero)"},
	{0x81b93d2f, "amomin.d s10,s11,(s2)"},
	{0xa108be2f, "amomax.d t3,a6,(a7)"},
	{0xc09fb3af, "amominu.d t2,s1,(t6)"},
	{0xe181b9af, "amomaxu.d s3,s8,(gp)"},
	{0x57e9a307, "flw ft6,1406(s3)"},
	{0x87c8bf07, "fld ft10,-1924(a7)"},
	{0xe2962ea7, "fsw fs1,-451(a2)"},
	{0xa23d3927, "fsd ft3,-1486(s10)"},
	{0x012091c3, "fmadd.s ft3,ft1,fs2,ft0,rtz"},
	{0x38f4fa47, "fmsub.s fs4,fs1,fa5,ft7"},
	{0xb95e3bcb, "fnmsub.s fs7,ft8,fs5,fs7,rup"},
	{0xb0fc8bcf, "fnmadd.s fs7,fs9,fa5,fs6,rne"},
	{0x019c7bd3, "fadd.s fs7,fs8,fs9"},
	{0x083e27d3, "fsub.s fa5,ft8,ft3,rdn"},
	{0x100c4f53, "fmul.s ft10,fs8,ft0,rmm"},
	{0x19743ad3, "fdiv.s fs5,fs0,fs7,rup"},
	{0x58094a53, "fsqrt.s fs4,fs2,rmm"},
	{0x218002d3, "fsgnj.s ft5,ft0,fs8"},
	{0x20979753, "fsgnjn.s fa4,fa5,fs1"},
	{0x20fd2c53, "fsgnjx.s fs8,fs10,fa5"},
	{0x29768e53, "fmin.s ft8,fa3,fs7"},
	{0x28d61853, "fmax.s fa6,fa2,fa3"},
	{0xa13f8953, "fle.s s2,ft11,fs3"},
	{0xa02c93d3, "flt.s t2,fs9,ft2"},
	{0xa0352b53, "feq.s s6,fa0,ft3"},
	{0xe0019a53, "fclass.s s4,ft3"},
	{0xc0069b53, "fcvt.w.s s6,fa3,rtz"},
	{0xc01170d3, "fcvt.wu.s ra,ft2"},
	{0xc02d9853, "fcvt.l.s a6,fs11,rtz"},
	{0xc0372953, "fcvt.lu.s s2,fa4,rdn"},
	{0xd0010bd3, "fcvt.s.w fs7,sp,rne"},
	{0xd012c053, "fcvt.s.wu ft0,t0,rmm"},
	{0xd024a653, "fcvt.s.l fa2,s1,rdn"},
	{0xd03732d3, "fcvt.s.lu ft5,a4,rup"},
	{0x3a1c47c3, "fmadd.d fa5,fs8,ft1,ft7,rmm"},
	{0x73499447, "fmsub.d fs0,fs3,fs4,fa4,rtz"},
	{0x8a8dc44b, "fnmsub.d fs0,fs11,fs0,fa7,rmm"},
	{0xb25c0f4f, "fnmadd.d ft10,fs8,ft5,fs6,rne"},
	{0x024f48d3, "fadd.d fa7,ft10,ft4,rmm"},
	{0x0ac4c053, "fsub.d ft0,fs1,fa2,rmm"},
	{0x131d8bd3, "fmul.d fs7,fs11,fa7,rne"},
	{0x1bfe3253, "fdiv.d ft4,ft8,ft11,rup"},
	{0x5a0306d3, "fsqrt.d fa3,ft6,rne"},
	{0x22e28853, "fsgnj.d fa6,ft5,fa4"},
	{0x22849dd3, "fsgnjn.d fs11,fs1,fs0"},
	{0x22602fd3, "fsgnjx.d ft11,ft0,ft6"},
	{0x2b0c8353, "fmin.d ft6,fs9,fa6"},
	{0x2acd1ad3, "fmax.d fs5,fs10,fa2"},
	{0xa2f18f53, "fle.d t5,ft3,fa5"},
	{0xa3da14d3, "flt.d s1,fs4,ft9"},
	{0xa2f02dd3, "feq.d s11,ft0,fa5"},
	{0xe20b1cd3, "fclass.d s9,fs6"},
	{0xc2040b53, "fcvt.w.d s6,fs0,rne"},
	{0xc218f2d3, "fcvt.wu.d t0,fa7"},
	{0xc2210753, "fcvt.l.d a4,ft2,rne"},
	{0xc231fd53, "fcvt.lu.d s10,ft3"},
	{0xd2078bd3, "fcvt.d.w fs7,a5,rne"},
	{0xd2170153, "fcvt.d.wu ft2,a4,rne"},
	{0xd222b553, "fcvt.d.l fa0,t0,rup"},
	{0xd23506d3, "fcvt.d.lu fa3,a0,rne"},
	{0xe0050ad3, "fmv.x.w s5,fa0"},
	{0xf0048c53, "fmv.w.x fs8,s1"},
	{0xe2028dd3, "fmv.x.d s11,ft5"},
	{0xf20880d3, "fmv.d.x ft1,a7"},
	{0x401bb4d3, "fcvt.s.d fs1,fs7,rup"},
	{0x42058ed3, "fcvt.d.s ft9,fa1,rne"},
	{0x095200bb, "add.uw ra,tp,s5"},
	{0x20af2a33, "sh1add s4,t5,a0"},
	{0x21e240b3, "sh2add ra,tp,t5"},
	{0x21b1e1b3, "sh3add gp,gp,s11"},
	{0x2024abbb, "sh1add.uw s7,s1,sp"},
	{0x20a449bb, "sh2add.uw s3,s0,a0"},
	{0x208fee3b, "sh3add.uw t3,t6,s0"},
	{0x09af159b, "slli.uw a1,t5,26"},
	{0x40c87633, "andn a2,a6,a2"},
	{0x40dbee33, "orn t3,s7,a3"},
	{0x4119c6b3, "xnor a3,s3,a7"},
	{0x60061b13, "clz s6,a2"},
	{0x601c9993, "ctz s3,s9"},
	{0x60259113, "cpop sp,a1"},
	{0x604d1693, "sext.b a3,s10"},
	{0x60539b93, "sext.h s7,t2"},
	{0x080544bb, "zext.h s1,a0"},
	{0x60061a9b, "clzw s5,a2"},
	{0x6013961b, "ctzw a2,t2"},
	{0x602c129b, "cpopw t0,s8"},
	{0x0a1e6933, "max s2,t3,ra"},
	{0x0b5df2b3, "maxu t0,s11,s5"},
	{0x0ae1c9b3, "min s3,gp,a4"},
	{0x0a6c54b3, "minu s1,s8,t1"},
	{0x60eb13b3, "rol t2,s6,a4"},
	{0x60cb5933, "ror s2,s6,a2"},
	{0x63025113, "rori sp,tp,48"},
	{0x61f29ebb, "rolw t4,t0,t6"},
	{0x60d4d53b, "rorw a0,s1,a3"},
	{0x616ad71b, "roriw a4,s5,22"},
	{0x2875df13, "orc.b t5,a1"},
	{0x6b8a5413, "rev8 s0,s4"},
	{0x497c1db3, "bclr s11,s8,s7"},
	{0x486f5933, "bext s2,t5,t1"},
	{0x683699b3, "binv s3,a3,gp"},
	{0x28fb1c33, "bset s8,s6,a5"},
	{0x4b5c9493, "bclri s1,s9,53"},
	{0x49705993, "bexti s3,zero,23"},
	{0x6b6a9a93, "binvi s5,s5,54"},
	{0x29429293, "bseti t0,t0,20"},
};

/* Compressed words and the instruction each abbreviates. */
static const struct {
	uint16_t half;
	uint32_t word;
} compressed[] = {
	{0x1fe8, 0x3fc10513}, // c.addi4spn a0,sp,1020
	{0x3c7c, 0x0f843787}, // c.fld fa5,248(s0)
	{0x5e6c, 0x07c62583}, // c.lw a1,124(a2)
	{0x63a4, 0x0407b483}, // c.ld s1,64(a5)
	{0xa680, 0x0086b427}, // c.fsd fs0,8(a3)
	{0xc0d8, 0x00e4a223}, // c.sw a4,4(s1)
	{0xe1e8, 0x0ca5b023}, // c.sd a0,192(a1)
	{0x1f81, 0xfe0f8f93}, // c.addi t6,-32
	{0x20fd, 0x01f0809b}, // c.addiw ra,31
	{0x5dfd, 0xfff00d93}, // c.li s11,-1
	{0x7101, 0xe0010113}, // c.addi16sp sp,-512
	{0x617d, 0x1f010113}, // c.addi16sp sp,496
	{0x7501, 0xfffe0537}, // c.lui a0,0xfffe0
	{0x6e7d, 0x0001fe37}, // c.lui t3,31
	{0x907d, 0x03f45413}, // c.srli s0,63
	{0x8785, 0x4017d793}, // c.srai a5,1
	{0x9aed, 0xffb6f693}, // c.andi a3,-5
	{0x8d0d, 0x40b50533}, // c.sub a0,a1
	{0x8e35, 0x00d64633}, // c.xor a2,a3
	{0x8f5d, 0x00f76733}, // c.or a4,a5
	{0x8c65, 0x00947433}, // c.and s0,s1
	{0x9d1d, 0x40f5053b}, // c.subw a0,a5
	{0x9db9, 0x00e585bb}, // c.addw a1,a4
	{0x1286, 0x02129293}, // c.slli t0,33
	{0x33fe, 0x1f813387}, // c.fldsp ft7,504(sp)
	{0x51fe, 0x0fc12183}, // c.lwsp gp,252(sp)
	{0x6266, 0x05813203}, // c.ldsp tp,88(sp)
	{0x8082, 0x00008067}, // c.jr ra
	{0x894e, 0x01300933}, // c.mv s2,s3
	{0x9002, 0x00100073}, // c.ebreak
	{0x9302, 0x000300e7}, // c.jalr t1
	{0x9a56, 0x015a0a33}, // c.add s4,s5
	{0xbfaa, 0x1ea13c27}, // c.fsdsp fa0,504(sp)
	{0xc17a, 0x09e12023}, // c.swsp t5,128(sp)
	{0xe406, 0x00113423}, // c.sdsp ra,8(sp)
	{0xa001, 0x0000006f}, // c.j .
	{0xbffd, 0xfffff06f}, // c.j .-2
	{0xcc91, 0x00048e63}, // c.beqz s1,.+28
	{0xf3fd, 0xfe0793e3}, // c.bnez a5,.-26
};

static void text_of(uint64_t pc, uint32_t word, char out[128])
{
	char raw[128];
	size_t n = 0;

	disasm(pc, word, raw, sizeof(raw));
	for (const char *s = raw; *s; s++)
		if (*s != ' ' || (n && out[n - 1] != ' '))
			out[n++] = *s;
	while (n && out[n - 1] == ' ')
		n--;
	if (n > 4 && !memcmp(out + n - 4, ",dyn", 4)) /* GNU leaves the usual rounding mode out */
		n -= 4;
	out[n] = 0;
}

START_TEST(each_row_reads_as_gnu_says)
{
	char text[128];

	ck_assert_uint_eq(ARRAY_SIZE(known), I_END);
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		struct op op;

		ck_assert_msg(decode32(known[i].word, &op) == i, "%08x is not %s", known[i].word,
			insn_info[i].name);
		text_of(0x10000, known[i].word, text);
		ck_assert_str_eq(text, known[i].text);
	}
}
END_TEST

/* Whatever the operands are, a row is found, unless one before it is meant to take precedence. */
START_TEST(operands_do_not_matter)
{
	uint64_t seed = 1;
	char text[128];

	for (unsigned i = 0; i < I_END; i++) {
		const struct insn_info *info = &insn_info[i];
		size_t n = strlen(info->name);

		ck_assert_uint_eq(info->match & ~info->mask, 0);
		for (unsigned k = 0; k < 500; k++) {
			uint32_t word = info->match | ((uint32_t)splitmix64(&seed) & ~info->mask);
			enum insn got;
			struct op op;

			if (i == I_FENCE && word == insn_info[I_PAUSE].match)
				continue;
			if (i == I_SLTI &&
				(word & insn_info[I_MARK].mask) == insn_info[I_MARK].match)
				continue;
			got = decode32(word, &op);
			ck_assert_msg(got == i, "%08x: %s, not %s", word, insn_info[got].name,
				info->name);
			ck_assert_uint_le(op.rd, 32);
			ck_assert_uint_lt(op.rs1, 32);
			ck_assert_uint_lt(op.rs2, 32);
			ck_assert_uint_eq(disasm(0, word, text, sizeof(text)), 4);
			ck_assert_msg(!strncmp(text, info->name, n) && text[n] == ' ', "%08x: %s",
				word, text);
		}
	}
}
END_TEST

START_TEST(rows_do_not_overlap)
{
	for (unsigned i = 0; i < I_END; i++)
		for (unsigned j = i + 1; j < I_END; j++) {
			const struct insn_info *a = &insn_info[i], *b = &insn_info[j];

			if ((a->match ^ b->match) & a->mask & b->mask)
				continue;
			ck_assert_msg(
				(i == I_PAUSE && j == I_FENCE) || (i == I_MARK && j == I_SLTI),
				"%s overlaps %s", a->name, b->name);
		}
}
END_TEST

START_TEST(compressed_words_expand)
{
	char text[128], expected[128];

	for (unsigned i = 0; i < ARRAY_SIZE(compressed); i++) {
		ck_assert_uint_eq(decode_expand(compressed[i].half), compressed[i].word);
		text_of(0x10000, compressed[i].half, text);
		text_of(0x10000, compressed[i].word, expected);
		ck_assert(!strncmp(text, "c.", 2));
		ck_assert_str_eq(text + 2, expected);
	}
}
END_TEST

/* "RVC Instruction Set Listings": all that is marked RES. */
static bool reserved(uint16_t h)
{
	unsigned f3 = h >> 13, rd = h >> 7 & 31, low = h >> 2 & 31, bit12 = h >> 12 & 1;

	switch (h & 3) {
	case 0:
		return f3 == 4 || (f3 == 0 && !(h >> 5 & 255));
	case 1:
		return (f3 == 1 && !rd) || (f3 == 3 && !bit12 && !low) ||
		       (f3 == 4 && (h >> 10 & 3) == 3 && bit12 && (h >> 6 & 1));
	default:
		return ((f3 == 2 || f3 == 3) && !rd) || (f3 == 4 && !bit12 && !rd && !low);
	}
}

START_TEST(all_compressed_words)
{
	for (uint32_t h = 0; h < 65536; h++) {
		uint32_t word = decode_expand((uint16_t)h);
		struct op op;

		if ((h & 3) == 3)
			ck_assert_uint_eq(word, 0);
		else if (reserved((uint16_t)h))
			ck_assert_msg(!word, "%04x is reserved", h);
		else
			ck_assert_msg(decode32(word, &op) < I_END,
				"%04x means %08x, which is nothing", h, word);
	}
}
END_TEST

START_TEST(undefined_words_are_illegal)
{
	static const uint32_t undefined[] = {
		0x00000000, 0xffffffff, 0x00000001, 0x0000001f, 0x0000007f, /* other lengths */
		0x00007003, 0x00004023, 0x00002063, 0x00002067, 0x0000006b, /* holes of funct3 */
		0x04000033, 0x80001013, 0x0200101b, 0x42000033, 0x0200501b, /* holes of funct7 */
		0x00200073, 0x7b200073, 0x10300073, 0x30300073,
		0x00004073, /* uret, dret, no such system word */
		0x10100073, 0x12000173, 0x22000073, 0x62000073, /* sfence.vma with rd; hypervisor */
		0x1010202f, 0x0000002f, 0x2800202f, 0x04000053,
		0x06000053, /* lr with rs2; half, quad precision */
		0x04000043, 0xd0400053, 0x20003053, 0xe0002053,
		0x00001007, /* and so on; vector load */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(undefined); i++) {
		char text[128];
		struct op op;

		ck_assert_msg(decode32(undefined[i], &op) == I_ILLEGAL, "%08x is %s", undefined[i],
			insn_info[decode32(undefined[i], &op)].name);
		text_of(0, undefined[i], text);
		ck_assert_msg(
			text[0] == '.' || (undefined[i] & 3) != 3, "%08x: %s", undefined[i], text);
	}
}
END_TEST

/* A block ends where control may go elsewhere or where what it was decoded from may change. */
START_TEST(what_ends_a_block)
{
	static const enum insn ends[] = {I_JAL, I_JALR, I_BEQ, I_BGEU, I_ECALL, I_EBREAK, I_MRET,
		I_SRET, I_WFI, I_SFENCE_VMA, I_FENCE_I, I_ILLEGAL};
	static const enum insn goes_on[] = {I_ADD, I_LD, I_SD, I_FENCE, I_FMADD_D, I_AMOADD_W};

	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++)
		ck_assert_msg(insn_ends_block(ends[i]), "%s", insn_info[ends[i]].name);
	for (unsigned i = 0; i < ARRAY_SIZE(goes_on); i++)
		ck_assert_msg(!insn_ends_block(goes_on[i]), "%s", insn_info[goes_on[i]].name);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("decode");
	TCase *t = tcase_create("decode");

	tcase_add_test(t, each_row_reads_as_gnu_says);
	tcase_add_test(t, operands_do_not_matter);
	tcase_add_test(t, rows_do_not_overlap);
	tcase_add_test(t, compressed_words_expand);
	tcase_add_test(t, all_compressed_words);
	tcase_add_test(t, undefined_words_are_illegal);
	tcase_add_test(t, what_ends_a_block);
	suite_add_tcase(s, t);
	return run_suite(s);
}
