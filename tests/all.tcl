# Runs the test files, each in a process of its own:
#
#   tclsh all.tcl ?file ...? ?-- option value ...?
#
# Without files: all *.test of this directory. Options go to tcltest, as in
# `-- -match type-*`. The last line is the sum of what the files reported.
# Exits with 1 if a test failed, if a file did not report or ended badly, and
# if nothing ran.

set directory [file dirname [file normalize [info script]]]
set limit_ms 600000; # for one file

set split [lsearch -exact $argv --]
if {$split < 0} {
    set split [llength $argv]
}
set files [lrange $argv 0 $split-1]
set options [lrange $argv $split+1 end]
if {[llength $files] == 0} {
    set files [lsort [glob -directory $directory *.test]]
}

# Runs one file, echoes what it writes, and returns {output status}.
proc run {file options} {
    set ::output {}
    set ::ending running
    set channel [open |[list [info nameofexecutable] $file {*}$options 2>@1] r]
    fconfigure $channel -blocking 0
    fileevent $channel readable [list take $channel]
    set timer [after $::limit_ms [list give_up $file [pid $channel]]]
    vwait ::ending
    after cancel $timer
    if {$::ending eq "late"} {
        close $channel
        return [list {} 1]
    }
    fconfigure $channel -blocking 1
    return [list $::output [catch {close $channel}]]
}

proc take {channel} {
    set text [read $channel]
    append ::output $text
    puts -nonewline $text
    flush stdout
    if {[eof $channel]} {
        set ::ending over
    }
}

# The output of a file may be kept open by a process it has started.
proc give_up {file pid} {
    puts "$file: no end after $::limit_ms ms"
    catch {exec kill -KILL $pid}
    set ::ending late
}

# The numbers of the last line of totals: total, passed, skipped, failed; or none.
proc totals {output} {
    set pattern {Total\s+(\d+)\s+Passed\s+(\d+)\s+Skipped\s+(\d+)\s+Failed\s+(\d+)}
    return [lrange [regexp -all -inline -- $pattern $output] end-3 end]
}

set sums {Total 0 Passed 0 Skipped 0 Failed 0}
set silent {}
set bad {}
foreach file $files {
    lassign [run $file $options] output status
    set found [totals $output]
    if {[llength $found] == 0} {
        lappend silent [file tail $file]
        continue
    }
    foreach name {Total Passed Skipped Failed} number $found {
        dict incr sums $name $number
    }
    if {$status || [lindex $found end] > 0} {
        lappend bad [file tail $file]
    }
}

if {[llength $silent] > 0} {
    puts "did not report: $silent"
}
if {[llength $bad] > 0} {
    puts "failed: $bad"
}
puts "all.tcl:\t[join $sums \t]"
set ran [expr {[dict get $sums Passed] + [dict get $sums Failed]}]
exit [expr {[llength $silent] + [llength $bad] > 0 || $ran == 0}]
