#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The documents name only things that exist: every relative link and picture of every *.md, with its heading; every path of the tree
# in backticks, and functions of them; every subcommand and option of the commands they show, and every target of make. And README.md
# stays short. A broken document, made here, shows that the test sees each kind of mistake.
. "$(dirname "$0")/lib.sh"
need perl

# check FILE...: prints a line for each mistake. $root is the tree, $work/help/SUBCOMMAND what `disco SUBCOMMAND --help` says.
check() {
	perl - "$root" "$work/help" "$@" <<'PERL'
use strict;
use warnings;
use File::Basename;
my ($root, $help, @files) = @ARGV;
my (%options, %headings);
my %targets = map { $_ => 1 } map { split ' ' } slurp("$root/Makefile") =~ /^([a-z][a-z -]*):/mg;

sub slurp { open my $f, '<', $_[0] or die "$_[0]: $!\n"; local $/; <$f> }

# Headings of a document as GitHub makes anchors of them.
sub headings {
	my ($file) = @_;
	return $headings{$file} //= { map { my $h = lc; $h =~ s/[^\w\- ]//g; $h =~ s/ /-/g; $h => 1 } slurp($file) =~ /^#+ (.*)$/mg };
}

for my $sub (map { basename $_ } glob "$help/*") {
	$options{$sub} = { map { $_ => 1 } slurp("$help/$sub") =~ /(?<![\w-])(--?[a-z][a-z-]*)/gi };
}

for my $file (@files) {
	my $text = slurp($file);
	my $wrong = sub { (my $name = $file) =~ s/^\Q$root\E\///; print "$name: $_[0]\n" };
	my (@commands, @code);

	# Fenced and indented blocks a line at a time, then spans in backticks, which may go over the end of a line.
	$text =~ s/^```.*?\n(.*?)^```$/push @code, split m{\n}, $1; ''/gmse;
	$text =~ s/^(?:    |\t)(.*)$/push @code, $1; ''/gme;
	push @commands, @code;
	while ($text =~ /`([^`]+)`/g) {
		(my $span = $1) =~ s/\s+/ /g;
		push @commands, $span;
		next unless $span =~ m{^(?:numa|sharing|monitor|guests|papers|bench|tests)/[\w./*\[\]-]+$};
		next if $span =~ /\b[A-Z]{3,}\b/ && $span !~ /\.md$/; # a placeholder, as in test-NAME.c
		my ($first) = glob "$root/$span";
		$wrong->("no $span") unless defined $first && -e $first;
	}
	while ($text =~ /`(\w+)\(\)`\s+(?:of|in)\s+`([\w.\/-]+)`/g) {
		$wrong->("no $1() in $2") unless -f "$root/$2" && slurp("$root/$2") =~ /\b$1\(/;
	}
	$text =~ s/`[^`]*`//g;
	@commands = () if $file =~ /CHANGELOG/; # those of other versions

	while ($text =~ /\]\(([^)\s]+)\)/g) {
		my $link = $1;
		next if $link =~ /^[a-z]+:/;
		my ($path, $anchor) = split /#/, $link, 2;
		my $to = $path eq '' ? $file : dirname($file) . "/$path";
		if (!-e $to) { $wrong->("no $link") }
		elsif (defined $anchor && !headings($to)->{$anchor}) { $wrong->("no heading $link") }
	}

	for my $line (@commands) {
		if ($line =~ /^make (?:[A-Z_]+=\S+ )*([a-z][\w-]*)/ && $file !~ m{/workloads/}) {
			$wrong->("no target: make $1") unless $targets{$1};
		}
		next unless $line =~ m{(?:^|[ /])disco ([a-z]+)(?= |$)(.*)};
		my ($sub, $rest) = ($1, $2);
		$rest =~ s/'[^']*'|"[^"]*"/X/g;   # what runs in a guest has options of its own
		$rest =~ s/\s{2,}.*|[|;&>#].*//;  # a remark, another command
		$options{$sub} or do { $wrong->("no subcommand: disco $sub"); next };
		for my $word (split ' ', $rest) {
			next unless $word =~ /^(--?[A-Za-z][A-Za-z-]*)/;
			$wrong->("no option: disco $sub $1") unless $options{$sub}{$1};
		}
	}
}
PERL
}

mkdir "$work/help"
for sub in $("$disco" --help | sed -n 's/^  \([a-z]\+\)  .*/\1/p'); do
	"$disco" "$sub" --help >"$work/help/$sub" || fail "disco $sub --help"
done
[ -s "$work/help/run" ] || fail "no help of disco run"

cd "$root" || exit 1
mapfile -t documents < <(find . -name build -prune -o -name '*.md' -print | sed "s|^\.|$root|" | sort)
[ ${#documents[@]} -ge 10 ] || fail "only ${#documents[@]} documents"
mistakes=$(check "${documents[@]}") || fail "the documents cannot be read"
[ -z "$mistakes" ] || fail "$mistakes"
lines=$(wc -l <README.md)
[ "$lines" -le 220 ] || fail "README.md has $lines lines: a newcomer reads 220"

# What must be seen, and what must not.
cat >"$work/broken.md" <<'END'
# A heading, or two
[here](#a-heading-or-two) [not here](#nowhere) [gone](no/such.md) ![picture](no.png) `numa/no-such.c` `tests/test-NAME.c`
`no_such()` of `numa/util.h` `xcalloc()` of `numa/util.h`
`make no-such-target` `make SAN=1 check`
`disco run --share all,-disk --exec 'ls --color' --no-such-inline
-o x`, `disco stats --traps`

    build/disco run --no-such-block --exec 'make --jobs'    with --remarks
    build/disco plot s.json -o s.png
    build/disco dance --vms 8
END
sort >"$work/expected" <<'END'
no heading #nowhere
no no_such() in numa/util.h
no no/such.md
no no.png
no numa/no-such.c
no option: disco run --no-such-inline
no option: disco run -o
no option: disco run --no-such-block
no subcommand: disco dance
no target: make no-such-target
END
check "$work/broken.md" | sed 's/^[^ ]*broken.md: //' | sort >"$work/found"
diff "$work/expected" "$work/found" || fail "mistakes of a broken document: < not seen, > wrongly seen"
finish
