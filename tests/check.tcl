# Runs the tests of a build and sums them up.
#
# Usage: tclsh check.tcl ?unit|kill|tcl?
#
# The environment says what to run: PA_BUILD (the build folder), PA_SOURCE (the
# source folder, from there), PA_UNIT, PA_FUZZ and PA_M32 (names of test programs),
# PA_SANITIZE, PA_CC, PA_VERSION; PA_VALGRIND=1 runs programs under valgrind.
#
# Every suite is a command whose output is understood in one of these forms:
#   tap    cmocka's: `ok N - name`, `not ok N - name`, `ok N # SKIP`
#   total  tcltest's: lines `Total N Passed N Skipped N Failed N`
#   plain  `N passed, N failed`, perhaps `, N skipped`
#   exit   one test, passed when the command exits with 0
#
# A line `note: TEXT` of a suite, what it has measured, is passed on.
#
# The last line is `N passed, N failed, N skipped`. The exit status is 1 when
# anything failed, when a suite said nothing or exited with another status than
# its tests tell, or when nothing ran at all.

namespace eval check {
    variable build [file normalize $env(PA_BUILD)]
    variable source [file normalize [file join $env(PA_BUILD) $env(PA_SOURCE)]]
    variable passed 0 failed 0 skipped 0 troubles {}
}

# Reads a suite's output: {passed failed skipped names-of-failures}.
proc check::read_tap {text} {
    set counts {0 0 0}
    set names {}
    foreach line [split $text \n] {
        if {[regexp {^ok \d+.*# SKIP} $line]} {
            lset counts 2 [expr {[lindex $counts 2] + 1}]
        } elseif {[regexp {^ok \d+} $line]} {
            lset counts 0 [expr {[lindex $counts 0] + 1}]
        } elseif {[regexp {^not ok \d+ - (.*)} $line -> name]} {
            lset counts 1 [expr {[lindex $counts 1] + 1}]
            lappend names $name
        }
    }
    return [list {*}$counts $names]
}

proc check::read_total {text} {
    set counts {0 0 0}
    set form {Total\s+\d+\s+Passed\s+(\d+)\s+Skipped\s+(\d+)\s+Failed\s+(\d+)}
    foreach {all p s f} [regexp -all -inline $form $text] {
        set counts [list [expr {[lindex $counts 0] + $p}] [expr {[lindex $counts 1] + $f}] \
            [expr {[lindex $counts 2] + $s}]]
    }
    set names [lmap {all name} [regexp -all -inline -line {^==== (\S+).* FAILED$} $text] {set name}]
    return [list {*}$counts [lsort -unique $names]]
}

proc check::read_plain {text} {
    if {![regexp -line {^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$} $text -> p f s]} {
        return {0 0 0 {}}
    }
    return [list $p $f [expr {$s eq "" ? 0 : $s}] {}]
}

proc check::read_exit {text} {
    return {1 0 0 {}}
}

# Runs one suite and adds up what it says.
proc check::suite {name form command} {
    variable passed
    variable failed
    variable skipped
    variable troubles
    set status 0
    set began [clock milliseconds]
    if {[catch {exec {*}$command </dev/null 2>@1} text options]} {
        set code [dict get $options -errorcode]
        set status [expr {[lindex $code 0] eq "CHILDSTATUS" ? [lindex $code 2] : $code}]
    }
    lassign [read_$form $text] p f s names
    if {$form eq "exit" && $status ne "0"} {
        lassign {0 1} p f
    }
    set trouble ""
    if {$p + $f + $s == 0} {
        set trouble "it reported no test"
    } elseif {$f == 0 && $status ne "0"} {
        set trouble "exit status $status although no test failed"
    }
    if {$trouble ne ""} {
        incr f
    }
    incr passed $p
    incr failed $f
    incr skipped $s
    set took_s [expr {([clock milliseconds] - $began) / 1000.0}]
    puts [format "%-28s %5d passed %3d failed %3d skipped %6.1f s" $name $p $f $s $took_s]
    foreach note [regexp -all -inline -line {^note: .*$} $text] {
        puts "    $note"
    }
    flush stdout
    if {$f > 0} {
        lappend troubles "$name: [join [concat $trouble $names] {, }]" $text
    }
}

# What runs a C program here: itself, or valgrind.
proc check::run {program args} {
    variable build
    set command [list [file join $build $program] {*}$args]
    if {[info exists ::env(PA_VALGRIND)]} {
        # What libtcl's allocator keeps in its pools looks possibly lost.
        return [list valgrind -q --error-exitcode=99 --leak-check=full \
            --show-leak-kinds=definite --errors-for-leak-kinds=definite {*}$command]
    }
    return $command
}

# A program that becomes another one by exec: the tests know processes by their pids.
proc check::wrapper {name command} {
    variable build
    set path [file join $build tests-$name.sh]
    set file [open $path w 0755]
    puts $file "#!/bin/sh\nexec [join [lmap word $command {string cat ' $word '}]] \"\$@\""
    close $file
    return $path
}

# env with the sanitizers' options. A child of a program with threads may start some of its own.
proc check::with_options {detect_leaks} {
    variable source
    return [list env ASAN_OPTIONS=detect_leaks=$detect_leaks \
        TSAN_OPTIONS=die_after_fork=0:suppressions=[file join $source tests tsan.supp]]
}

# A program of ours, under valgrind or with its sanitizer. What valgrind has to say stays out of
# what the tests read.
proc check::checked {program} {
    variable build
    set command [run $program]
    if {[lindex $command 0] eq "valgrind"} {
        set command [linsert $command 1 --log-file=[file join $build valgrind-%p.log]]
    }
    return [wrapper $program [list {*}[with_options 1] {*}$command]]
}

# The errors that valgrind found in those programs; a system call it does not know is none.
proc check::valgrind_reports {} {
    variable build
    variable failed
    variable passed
    variable troubles
    set bad 0
    foreach path [glob -nocomplain -directory $build valgrind-*.log] {
        set file [open $path]
        set text [read $file]
        close $file
        if {[regexp -line {^==\d+== \S} $text]} {
            puts $text
            incr bad
        }
        file delete $path
    }
    incr [expr {$bad ? "failed" : "passed"}]
    if {$bad} {
        lappend troubles "valgrind: $bad reports" {}
    }
}

# A tclsh that can load an extension built with a sanitizer. The sanitizer is preloaded for
# it alone: support.tcl keeps it from other programs.
proc check::tclsh {} {
    switch -glob $::env(PA_SANITIZE) {
        address* { set library libasan.so }
        thread   { set library libtsan.so }
        default  { return [list [info nameofexecutable]] }
    }
    return [list {*}[with_options 0] LD_PRELOAD=[exec $::env(PA_CC) -print-file-name=$library] \
        [info nameofexecutable]]
}

proc check::unit {} {
    variable source
    set ::env(CMOCKA_MESSAGE_OUTPUT) TAP
    foreach name $::env(PA_UNIT) {
        suite $name tap [list {*}[with_options 1] {*}[run $name]]
    }
    foreach name $::env(PA_FUZZ) {
        set corpus [file join $source tests fuzz corpus [string range $name 5 end]]
        suite $name.replay exit [run $name.replay $corpus]
    }
    m32
    set rounds [expr {[info exists ::env(PA_VALGRIND)] ? 20 : 1000}]
    foreach seed {1 2 3} {
        suite "simulate -seed $seed" exit [run simulate -seed $seed -rounds $rounds]
    }
}

# Programs of 32 bits, which valgrind and the sanitizers leave alone.
proc check::m32 {} {
    variable source
    if {[info exists ::env(PA_VALGRIND)]} {
        return
    }
    foreach name $::env(PA_M32) {
        if {[string match *.replay.* $name]} {
            suite $name exit [run $name [file join $source tests fuzz corpus ring]]
        } else {
            suite $name tap [run $name]
        }
    }
}

# Ports IPC under SIGKILL and SIGSTOP. Stepping by instruction is not for a
# program that a tool runs by itself, or whose runtime takes most of the steps.
proc check::kill {} {
    variable source
    variable build
    set valgrind [info exists ::env(PA_VALGRIND)]
    set slow [expr {$valgrind || $::env(PA_SANITIZE) ne ""}]
    set step [expr {$slow ? "-points 8 -others 2" : "-points 16 -others 4"}]
    if {$valgrind} {
        lappend step -skip "valgrind cannot be stepped"
    } elseif {$::env(PA_SANITIZE) eq "thread"} {
        lappend step -skip "ThreadSanitizer's runtime takes the steps"
    }
    set kills [expr {$valgrind ? 50 : $slow ? 200 : 500}]
    suite kill-step tap [run kill-step {*}$step]
    suite kill-step-awake tap [run kill-step-awake -awake {*}$step]
    suite kill-storm tap [run kill-storm -kills $kills]
    suite kill-storm-awake tap [run kill-storm-awake -kills $kills]
    if {!$slow} {
        suite "kills of faulty libraries" plain [list [info nameofexecutable] \
            [file join $source tests kill planted.tcl] $build]
    }
}

# rpcbind as setup.sh unpacks it, or installed.
proc check::rpcbind {} {
    variable source
    set unpacked [file join $source build unpacked rpcbind sbin rpcbind]
    return [expr {[file exists $unpacked] ? $unpacked : "/sbin/rpcbind"}]
}

proc check::tcl {} {
    variable source
    variable build
    set slow [expr {$::env(PA_SANITIZE) ne "" || [info exists ::env(PA_VALGRIND)]}]
    set settings [list PA_PATIENCE=[expr {$slow ? 8 : 1}] PA_PKGDIR=$build \
        PA_TCLSH=[wrapper tclsh [tclsh]] \
        PA_DAEMON=[checked DaqPortManager] PA_LSSERVICES=[checked lsservices] \
        PA_LSPORTS=[checked lsports] PA_PORTS_HELPER=[checked ports-helper] \
        PA_PORTRESERVE=[checked portreserve] PA_PORTRELEASE=[checked portrelease] \
        PA_PORTCTL=[checked portctl] \
        PA_RESERVE_HELPER=[file join $build reserve-helper] PA_RPCBIND=[rpcbind] \
        PA_RACE_HELPER=[file join $build race-helper] \
        PA_SPOOL_CLIENT=[checked spool-client] PA_SPOOL_DAEMON=[checked spool-daemon] \
        PA_SPOOL_STATUS=[checked spool-status] PA_GREETER=[checked greeter]]
    foreach file [lsort [glob -directory [file join $source tests] *.test]] {
        suite [file tail $file] total \
            [list env {*}$settings {*}[tclsh] $file]
    }
    if {[info exists ::env(PA_VALGRIND)]} {
        valgrind_reports
    }
    suite manuals plain [list {*}[tclsh] [file join $source doc check-man.tcl] \
        $source [file join $build DaqPortManager] [file join $build lsservices] \
        [file join $build lsports] [file join $build portreserve] \
        [file join $build portrelease] [file join $build portctl] $build]
}

proc check::rooms {} {
    variable source
    suite rooms plain [list sh [file join $source tests rooms.sh] $source]
    suite "this summing up" plain [list [info nameofexecutable] \
        [file join $source tests driver selftest.tcl]]
}

proc check::main {arguments} {
    variable passed
    variable failed
    variable skipped
    variable troubles
    set parts [expr {[llength $arguments] ? $arguments : {rooms unit kill tcl}}]
    foreach part $parts {
        $part
    }
    if {[llength $troubles]} {
        foreach {trouble text} $troubles {
            puts "\n$text"
        }
        puts "\nFailed:"
        foreach {trouble text} $troubles {
            puts "  $trouble"
        }
    }
    puts "\n$passed passed, $failed failed, $skipped skipped"
    exit [expr {$failed > 0 || $passed == 0}]
}

if {[info script] eq $argv0} {
    check::main $argv
}
