# What the tests of Ports IPC's programs share: a folder of ports for each test,
# programs that run to their end, and others that are left to block.
#
# The programs are found by the environment, as support.tcl has it: PA_LSPORTS,
# PA_PORTS_HELPER, and others by `program`.

source [file join [file dirname [info script]] support.tcl]

foreach name {LSPORTS PORTS_HELPER SPOOL_CLIENT SPOOL_DAEMON SPOOL_STATUS} {
    testConstraint [string tolower $name] [info exists ::env(PA_$name)]
}

namespace eval folder {
    variable path {}
    variable background {}
    variable count 0
    namespace export begin end path names
    namespace ensemble create
}

# ------------------------------------------------------------------ the folder --

# A new folder of ports, only this user's, which programs find by PORTS_DIR.
proc folder::begin {} {
    variable path
    variable count
    set path [support scratch ports[incr count]]
    file mkdir $path
    file attributes $path -permissions 0700
    set ::env(PORTS_DIR) $path
}

proc folder::path {args} {
    variable path
    return [file join $path {*}$args]
}

# What is in it, but for the counter of ids, which stays.
proc folder::names {} {
    return [lsearch -all -inline -not -exact [lsort [glob -nocomplain -tails -directory [path] *]] ids]
}

# Ends what runs, deletes the ports, and makes sure that nothing else was there.
proc folder::end {} {
    variable background
    foreach one $background {
        stop $one
    }
    for {set i 0} {$i < 100 && [lindex [calls next 0 delete .] 0] ne "ENOENT"} {incr i} {}
    set left [names]
    unset ::env(PORTS_DIR)
    file delete -force [path]
    if {$left ne {}} {
        error "left in the folder of the ports: $left"
    }
}

# ------------------------------------------------------------------ programs --

proc program {name} {
    return $::env(PA_[string toupper $name])
}

# Runs a program to its end: {exit-code output}, and what it wrote to the
# standard error output as a third element if there is any.
proc run {name args} {
    set out [support scratch out]
    set err [support scratch err]
    set code [catch {exec {*}$name {*}$args </dev/null >$out 2>$err} message options]
    set status 0
    if {$code} {
        set status [lindex [dict get $options -errorcode] 2]
    }
    set result [list $status [text_of $out]]
    if {[text_of $err] ne {}} {
        lappend result [text_of $err]
    }
    return $result
}

proc text_of {path} {
    set file [open $path]
    fconfigure $file -encoding utf-8
    set text [read $file]
    close $file
    return $text
}

# Makes the calls, as the comment in ports_helper.c has them: the list of results.
proc calls {args} {
    return [split [exec [program ports_helper] {*}$args] \n]
}

# The same in a process that is left alone, since it will block: a handle.
proc start {name args} {
    set channel [open |[list {*}$name {*}$args 2>@1] r+]
    fconfigure $channel -blocking 0 -encoding utf-8
    lappend folder::background $channel
    return $channel
}
proc start_calls {args} {
    return [start [program ports_helper] {*}$args]
}

# The next line of its output; an error if it does not come.
proc line_of {channel} {
    support wait_until {[gets $channel line] >= 0 || [eof $channel]}
    if {[eof $channel] && $line eq {}} {
        error "it ended without a word"
    }
    return $line
}

# Kills it, if it still runs, and waits until it is gone.
proc stop {channel} {
    set folder::background [lsearch -all -inline -not -exact $folder::background $channel]
    catch {exec kill -KILL [pid $channel]}
    fconfigure $channel -blocking 1
    catch {close $channel}
}
