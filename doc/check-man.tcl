# Checks the manual pages against the programs and the sources.
#
# Usage: tclsh check-man.tcl SOURCE-FOLDER DAEMON LSSERVICES LSPORTS PORTRESERVE PORTRELEASE
#            PORTCTL PACKAGE-FOLDER
#
# - Every page converts to nroff and HTML without a warning, groff (where it is
#   installed) has nothing to say about the result, and the page has the
#   version of configure.ac.
# - The switches that the programs print with -help are those that their pages
#   explain: all of them and no other. So are the exit codes, but for DAEMON's.
# - Every prototype of ports/sys/ports.h, every row of its table, and every errno
#   that is named there is in ports.man, and no other.
# - So are the functions and codes of generic/portallocator.h in libportallocator.man,
#   and the functions in the list of what the library shows.
# - So are the sub-commands, with their arguments, and the options of the Tcl
#   package, as the sources have them and as the built package has them; and
#   those of the package ports, with its error classes and the keys of its list.
# - Every row of generic/pa_error.h, and every message of the Tcl sources, is
#   explained in errors.man: text, symbol, class, code; and every code in protocol.man.
# - Every request of protocol 2 with its keys is in protocol.man, and no other.
# - Every line that a daemon writes to its log is explained in its page; in that of
#   DaqPortManager under its level.
# - Every environment variable that is read is explained.
#
# Prints what is missing, and last `N passed, N failed` with `, N skipped` if
# there are any. Exits with 1 if something failed, or if a check found nothing
# to check.

package require Tcl 8.6-
package require doctools

set passed 0
set failed 0
set skipped 0

proc verdict {good complaint} {
    if {$good} {
        incr ::passed
    } else {
        incr ::failed
        puts $complaint
    }
}

proc skip {reason} {
    incr ::skipped
    puts "skipped: $reason"
}

proc read_file {path} {
    set file [open $path]
    fconfigure $file -encoding utf-8
    set text [read $file]
    close $file
    return $text
}

proc sources {args} {
    set text {}
    foreach pattern $args {
        foreach path [lsort [glob -directory $::source $pattern]] {
            append text [read_file $path]
        }
    }
    return $text
}

# Both lists are the same, and not empty.
proc compare {what wanted documented} {
    verdict [llength $wanted] "$what: found none to look for"
    foreach name [lsort -unique $wanted] {
        verdict [expr {$name in $documented}] "$what $name: not in the manual"
    }
    foreach name [lsort -unique $documented] {
        verdict [expr {$name in $wanted}] "$what $name: in the manual only"
    }
}

# ------------------------------------------------------------------ markup --

# A place in a text that varies: [arg x] in a page, %s in a format.
set hole \u2423

# Evaluates a doctools command to plain text; `methods` and `arguments` collect
# what a [call] is made of.
interp create -safe markup
interp alias markup arg {} markup_arg
interp alias markup opt {} markup_opt
interp alias markup method {} markup_method
foreach name {const cmd option var term emph package file def opt_def call} {
    interp alias markup $name {} markup_text
}

proc markup_text {args} {
    return [join $args { }]
}

proc markup_arg {name} {
    lappend ::arguments $name
    return $::hole
}

# An optional argument: what it is made of has been evaluated before.
proc markup_opt {text} {
    if {$text eq $::hole} {
        lset ::arguments end ?[lindex $::arguments end]?
    }
    return $text
}

proc markup_method {name} {
    lappend ::methods $name
    return $name
}

# All uses of a command in a page: a list of dictionaries with text, methods,
# arguments, and begin and end, the place in the page.
proc uses {command page} {
    set found {}
    set start 0
    while {[set begin [string first "\[$command " $page $start]] >= 0} {
        set end $begin
        while 1 {
            set end [string first \] $page $end+1]
            if {$end < 0} {
                error "no end of: [string range $page $begin $begin+60]"
            }
            set script [string range $page $begin $end]
            if {[info complete $script]} break
        }
        set ::methods {}
        set ::arguments {}
        set text [markup eval [string range $script 1 end-1]]
        lappend found [dict create text $text methods $::methods arguments $::arguments \
            begin $begin end $end]
        set start [expr {$end + 1}]
    }
    return $found
}

# What a page says about a use: up to the next definition or section.
proc said {page use} {
    set rest [string range $page [dict get $use end]+1 end]
    regexp -indices {\[(?:def|section|subsection) } $rest place
    if {[info exists place]} {
        set rest [string range $rest 0 [lindex $place 0]-1]
    }
    return $rest
}

# ----------------------------------------------------------------- C texts --

set string_form {"(?:[^"\\]|\\.)*"}

# The text of C string literals that stand side by side, with a hole for each
# conversion of printf and one for several that touch.
proc text_of {literals} {
    set text {}
    foreach piece [regexp -all -inline "$::string_form|PACKAGE_VERSION|PRIu64" $literals] {
        switch -glob -- $piece {
            PACKAGE_VERSION { append text %s }
            PRI* { append text u }
            default { append text [string range $piece 1 end-1] }
        }
    }
    set text [string map {\\\" \" \\\\ \\} $text]
    regsub -all {%[-0-9.*]*(?:z|ll?|j)?[dsux]} $text $::hole text
    regsub -all "$::hole+" $text $::hole text
    return $text
}

# ------------------------------------------------------------------- pages --

proc convert {name page format} {
    doctools::new converter -format $format -file $name -module portAllocator -deprecated 1
    set code [catch {converter format $page} result]
    set warnings [join [converter warnings] \n]
    converter destroy
    verdict [expr {!$code && $warnings eq {}}] \
        "$name: to $format: [expr {$code ? $result : $warnings}]"
    return [expr {$code ? {} : $result}]
}

proc check_groff {name nroff} {
    if {[auto_execok groff] eq {}} {
        skip "$name: groff is not installed"
        return
    }
    catch {exec env -u LD_PRELOAD groff -z -man -Tutf8 -ww << $nroff 2>@1} complaints
    verdict [expr {$complaints eq {}}] "$name: groff says: $complaints"
}

proc check_pages {version} {
    foreach {name page} $::pages {
        set nroff [convert $name $page nroff]
        convert $name $page html
        check_groff $name $nroff
        regexp {\[manpage_begin \S+ \S+ (\S+?)\]} $page -> shown
        verdict [expr {$shown eq $version}] "$name: has version $shown, not $version"
    }
}

proc page {name} {
    return [dict get $::pages $name]
}

# ---------------------------------------------------------------- switches --

# The switches in the help text of a program: indented by two blanks, at the
# beginning of a line, several on one line with commas between them.
proc switches_of {program} {
    set names {}
    foreach line [split [exec $program -help] \n] {
        if {[regexp {^  ((?:-[^\s,]+, )*-[^\s,]+)} $line -> shown]} {
            lappend names {*}[split [string map {, {}} $shown] { }]
        }
    }
    return $names
}

proc check_program {program name} {
    set documented [lmap use [uses opt_def [page $name]] {lindex [dict get $use text] 0}]
    compare "[file rootname $name] switch" [switches_of $program] $documented
}

# The exit codes that the files which match `patterns` return.
proc check_exit_codes {patterns name} {
    set text [sources {*}$patterns]
    set codes [lmap {all symbol code} [regexp -all -inline {(EXIT_\w+) = (\d+)} $text] {
        if {[regexp -all "\\y$symbol\\y" $text] == 1} {
            continue
        }
        set code
    }]
    set page [page $name]
    set start [string first "\[section {EXIT STATUS}\]" $page]
    set section [string range $page $start [string first "\[list_end\]" $page $start]]
    compare "[file rootname $name] exit code" $codes \
        [lmap use [uses def $section] {dict get $use text}]
}

# The sub-commands of portctl, and those that its page has usages of.
proc check_subcommands {} {
    compare "portctl sub-command" \
        [lmap {all name} [regexp -all -inline {\{"(\w+)",} [sources tools/ctl_command.c]] {set name}] \
        [lmap {all name} [regexp -all -inline {\[usage \[cmd portctl\] \[const (\w+)\]} \
            [page portctl.man]] {set name}]
}

# --------------------------------------------------------------- ports.man --

proc check_prototypes {} {
    set header [sources ports/sys/ports.h]
    set page [page ports.man]
    set prototypes {}
    set functions {}
    foreach {all type name rest} [regexp -all -inline \
        {\n((?:\w+ )+\*?)(p\w+)(\([^;\{\}]*;)} $header] {
        lappend prototypes [regsub -all {\s+} $type$name$rest { }]
        lappend functions $name
    }
    compare prototype $prototypes \
        [lmap {all text} [regexp -all -inline {\[usage \[const \{(\w[^\}]*)\}\]\]} $page] {set text}]
    foreach name $functions {
        verdict [string match "*\\\[def \"\\\[fun $name\\\](*" $page] "ports.man: $name is not explained"
        verdict [regexp -line "^$name  " $page] "ports.man: the table has no row for $name"
    }
    compare errno [regexp -all -inline {\yE[A-Z]{2,}\y} $header] \
        [lmap {all name} [regexp -all -inline {\[const (E[A-Z]+)\]} $page] {set name}]
}

# The functions and codes of the client library, and those of its manual.
proc check_library {} {
    set header [regsub -all {/\*.*?\*/} [sources generic/portallocator.h] {}]
    set page [page libportallocator.man]
    set form {\n((?:const )?(?:struct )?\w+ \*?)(portallocator_\w+)(\([^;\{\}]*;)}
    set prototypes {}
    foreach {all type name rest} [regexp -all -inline $form $header] {
        lappend prototypes [regsub -all {\s+} $type$name$rest { }]
        verdict [string match "*\\\[def \"\\\[fun $name\\\](*" $page] \
            "libportallocator.man: $name is not explained"
        verdict [regexp "\\y$name;" [sources unix/portallocator.map]] \
            "unix/portallocator.map: $name is not there"
    }
    compare "library prototype" $prototypes \
        [lmap {all text} [regexp -all -inline {\[usage \[const \{(\w[^\}]*)\}\]\]} $page] {set text}]
    compare "library code" [lmap {all name} [regexp -all -inline {\n    (PORTALLOCATOR_\w+) = \d+} $header] {set name}] \
        [lmap {all name} [regexp -all -inline {\n\[def \[const (PORTALLOCATOR_\w+)\]\]} $page] {set name}]
}

source [file join [file dirname [info script]] check-packages.tcl]

# ------------------------------------------------------------------ errors --

proc check_errors {} {
    set page [page errors.man]
    set terms {}
    foreach use [uses def $page] {
        dict lappend terms [dict get $use text] [said $page $use]
    }
    set header [string map {\\\n { }} [sources generic/pa_error.h]]
    set form "ROW\\((PA_E_\\w+),\\s*\"(\\w+)\",\\s*\"(\\w*)\",\\s*((?:$::string_form\\s*)+)\\)"
    set rows [regexp -all -inline $form $header]
    verdict [expr {[llength $rows] == 5 * [regexp -all {ROW\(PA_E_} $header]}] \
        "generic/pa_error.h: a row is not understood"
    verdict [llength $rows] "generic/pa_error.h: no row found"
    set tokens USAGE
    set codes {}
    foreach {all symbol token code literals} $rows {
        lappend tokens $token
        set text [text_of $literals]
        set block {}
        if {[dict exists $terms $text]} {
            set block [lsearch -inline [dict get $terms $text] *\\\[const\ $symbol\\\]*]
        }
        verdict [expr {$block ne {}}] "errors.man: $symbol: no entry \"$text\" that names it"
        verdict [string match "*class \\\[const $token\\\]*" $block] \
            "errors.man: $symbol: its class is not said to be $token"
        regexp {, code \[const (\w+)\]\.} $block -> shown
        verdict [expr {[info exists shown] ? $shown eq $code : $code eq {}}] \
            "errors.man: $symbol: its code is not said to be \"$code\""
        unset -nocomplain shown
        if {$code ne {}} {
            lappend codes $code
        }
        verdict [expr {[string length $block] > 120}] "errors.man: $symbol: nothing is explained"
    }
    compare "protocol 2's code" $codes [defined_in CODES {^[A-Z]+$}]
    foreach token [lsort -unique $tokens] {
        foreach name {errors.man portAllocator.man} {
            verdict [string match "*\\\[def \\\[const $token\\\]\\\]*" [page $name]] \
                "$name: the class $token is not explained"
        }
    }
    set form "pa_tcl_error_usage\\(\\s*interp,\\s*Tcl_ObjPrintf\\(\\s*((?:$::string_form\\s*)+)"
    set messages [regexp -all -inline $form [sources generic/pa_tcl_*.c]]
    verdict [llength $messages] "generic/pa_tcl_*.c: no message found"
    foreach {all literals} $messages {
        set text [text_of $literals]
        verdict [dict exists $terms $text] "errors.man: no entry \"$text\""
    }
}

# ---------------------------------------------------------------- protocol --

# The definitions that a section or subsection of protocol.man begins with.
proc defined_in {heading form} {
    set page [page protocol.man]
    set start [string first "section $heading\]" $page]
    if {$start < 0} {
        error "protocol.man has no section $heading"
    }
    set section [string range $page $start+1 end]
    if {[regexp -indices {\[(?:sub)?section } $section end]} {
        set section [string range $section 0 [lindex $end 0]-1]
    }
    set names {}
    foreach use [concat [uses def $section] [uses opt_def $section]] {
        set name [lindex [dict get $use text] 0]
        if {[regexp $form $name]} {
            lappend names $name
        }
    }
    return $names
}

# The requests, the keys that each of them has, and what STATS tells.
proc check_protocol {} {
    set source [sources generic/pa_keys.c]
    set verbs {}
    foreach {all verb} [regexp -all -inline {\[PA_VERB_\w+\] = \{"(\w+)"} $source] {
        lappend verbs $verb
        dict set keys $verb {}
    }
    compare request $verbs [lmap {all verb} [regexp -all -inline \
        {\[subsection ([A-Z]+)\]} [page protocol.man]] {set verb}]
    foreach {all key owners} [regexp -all -inline {\{"(-\w+)",\s*([A-Z| ]+),} $source] {
        foreach verb [split [string map {" " {}} $owners] |] {
            dict lappend keys $verb $key
        }
    }
    dict for {verb names} $keys {
        if {[llength $names]} {
            compare "$verb key" $names [defined_in $verb {^-}]
        }
    }
    verdict [llength [concat {*}[dict values $keys]]] "generic/pa_keys.c: no key found"
    set stats [lmap {all name} [regexp -all -inline {\{"(\w+)", offsetof} \
        [sources generic/pa_wire2.c]] {set name}]
    compare "STATS key" [concat $stats managed version] [defined_in STATS .]
}

# --------------------------------------------------------------------- log --

# The level under whose heading a place of the page is; empty where there is none.
proc level_at {page place} {
    set heading [string last "\[subsection \{Level " $page $place]
    set section [string last "\[section " $page $place]
    set level {}
    if {$heading > $section} {
        regexp {Level (\w+)} [string range $page $heading $place] -> level
    }
    return $level
}

# The lines that are put together from parts, as patterns.
proc joined_lines {text} {
    set patterns {}
    foreach {all parts} [regexp -all -inline {\*parts\[\] = \{([^\}]*)\}} $text] {
        set pattern {}
        foreach part [regexp -all -inline "$::string_form|\[^,\\s\]\[^,\]*" $parts] {
            append pattern [expr {[string match \"* $part] ? [text_of $part] : "*"}]
        }
        lappend patterns $pattern
    }
    return $patterns
}

# The sources of portreserve alone.
set reserve_sources {keeper requests portreserve}

proc check_reserve_log {} {
    set terms [lmap use [uses def [page portreserve.man]] {dict get $use text}]
    set code [sources {*}[lmap name $::reserve_sources {string cat daemon/ $name .c}]]
    set form "LOG_LEVEL_\\w+,\\s*NULL,\\s*((?:$::string_form\\s*)+)"
    set lines [regexp -all -inline $form $code]
    verdict [llength $lines] "portreserve: no line of the log found"
    foreach {all literals} $lines {
        set text [text_of $literals]
        if {$text ni [list $::hole "$::hole: $::hole"]} {
            verdict [expr {$text in $terms}] "portreserve.man: \"$text\" is not explained"
        }
    }
}

proc check_log {} {
    set page [page DaqPortManager.man]
    set terms {}
    foreach use [uses def $page] {
        set level [level_at $page [dict get $use begin]]
        if {$level ne {}} {
            dict set terms [dict get $use text] $level
        }
    }
    set own {}
    foreach path [glob -directory $::source daemon/*.c] {
        set name [file rootname [file tail $path]]
        if {$name ni $::reserve_sources} {
            lappend own daemon/$name.c
        }
    }
    set code [sources {*}$own]
    set text_form "(?:(?:$::string_form|PACKAGE_VERSION|PRIu64)\\s*)+"
    set form "LOG_LEVEL_(\\w+),\\s*(?:NULL|\[\\w>-\]+),\\s*($text_form)"
    set lines [regexp -all -inline $form $code]
    verdict [llength $lines] "daemon/*.c: no line of the log found"
    foreach {all level literals} $lines {
        set text [text_of $literals]
        if {$text eq $::hole} {
            continue
        }
        set shown [expr {[dict exists $terms $text] ? [dict get $terms $text] : "none"}]
        verdict [expr {$shown eq $level}] \
            "DaqPortManager.man: the log's \"$text\" of level $level is explained under $shown"
    }
    foreach pattern [joined_lines $code] {
        verdict [llength [dict keys $terms $pattern]] \
            "DaqPortManager.man: the log's \"$pattern\" is not explained"
    }
    # The other way round: what is explained is in the sources, piece by piece.
    regsub -all {"\s*"} $code {} code
    dict for {text level} $terms {
        foreach piece [split $text $::hole] {
            set piece [string trim $piece]
            if {$piece eq {}} {
                continue
            }
            verdict [expr {[string first $piece $code] >= 0}] \
                "DaqPortManager.man: the log's \"$text\": \"$piece\" is not in daemon/*.c"
        }
    }
}

proc check_environment {} {
    set found [regexp -all -inline {getenv\("(\w+)"\)} \
        [sources generic/*.c unix/*.c daemon/*.c ports/*.c tools/*.c]]
    verdict [llength $found] "no environment variable found"
    foreach {all name} $found {
        verdict [string match "*\\\[var $name\\\]*" $::pages] \
            "environment variable $name: not in the manual"
    }
}

# -------------------------------------------------------------------- main --

if {$argc != 8} {
    puts stderr "usage: check-man.tcl SOURCE-FOLDER DAEMON LSSERVICES LSPORTS PORTRESERVE\
        PORTRELEASE PORTCTL PACKAGE-FOLDER"
    exit 100
}
lassign $argv source daemon lsservices lsports portreserve portrelease portctl package_folder
set pages {}
foreach path [lsort [glob -directory [file join $source doc] *.man]] {
    lappend pages [file tail $path] [read_file $path]
}
regexp {AC_INIT\(\[\w+\], \[([\d.]+)\]\)} [read_file [file join $source configure.ac]] -> version

foreach check {
    {check_pages $version}
    {check_program $daemon DaqPortManager.man}
    {check_program $lsservices lsservices.man}
    {check_program $lsports lsports.man}
    {check_program $portreserve portreserve.man}
    {check_program $portrelease portrelease.man}
    {check_program $portctl portctl.man}
    check_subcommands
    {check_exit_codes {tools/lsservices.c tools/tool.*} lsservices.man}
    {check_exit_codes {tools/lsports.c tools/tool.*} lsports.man}
    {check_exit_codes daemon/portreserve.c portreserve.man}
    {check_exit_codes {tools/portrelease.c tools/tool.*} portrelease.man}
    {check_exit_codes {tools/portctl.c tools/ctl*.c tools/tool.*} portctl.man}
    check_prototypes
    check_library
    {check_package [file normalize $package_folder]}
    {check_ports [file normalize $package_folder]}
    check_errors
    check_protocol
    check_log
    check_reserve_log
    check_environment
} {
    if {[catch $check message options]} {
        verdict 0 "[lindex $check 0]: $message"
    }
}
puts "$passed passed, $failed failed[expr {$skipped ? ", $skipped skipped" : {}}]"
exit [expr {$failed > 0}]
