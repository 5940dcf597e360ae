# What the daemon's test files share beyond support.tcl: ports that no other
# test file has, conversations byte by byte, other processes, and what the
# kernel tells of the manager.
#
# Sourced, this file provides
#   own_range COUNT    {low high} of ports that are this process's until `finish`
#   start ?SWITCHES?   a manager of one's own: ::manager, ::port, and `log`, `files`
#   stop ?SIGNAL?      ends it and all that was opened; an error if it did not end well
#   raw ...            a connection to it, bytes as they are
#   other ...          a process that does what it is told
#   finish             in place of `support finish`
# Run as a program it is such an other process.

source [file join [file dirname [file normalize [info script]]] support.tcl]

# An other process is killed in the end and cannot tidy up.
if {[file normalize $::argv0] eq [file normalize [info script]]} {
    file delete -force [support scratch]
}
set support::patience [expr {max($support::patience, 6)}]
testConstraint plain [expr {(![info exists ::env(PA_SANITIZE)] || $::env(PA_SANITIZE) eq {})
    && ![info exists ::env(PA_VALGRIND)]}]
testConstraint root [expr {[exec id -u] == 0}]
testConstraint ipv6 [expr {![catch {close [socket -server {} -myaddr ::1 0]}]}]
testConstraint setpriv [expr {[auto_execok setpriv] ne {}}]
set manager {}

# The loopback addresses that there are.
proc loopbacks {} {
    return [expr {[testConstraint ipv6] ? {127.0.0.1 ::1} : {127.0.0.1}}]
}

# Milliseconds for what is promised within `ms`: more where every instruction is dear.
proc promised {ms} {
    return [expr {[testConstraint plain] ? $ms : 20 * $ms}]
}

# -------------------------------------------------------------------- ports --

namespace eval ports {
    variable locks {}
}

# Blocks of 100 ports from 2000 on. Who listens on the lock of a block, a port of
# its own from 1100 on, has the block; support.tcl gives ports from 10000 on.
proc ports::lock {block} {
    variable locks
    if {[catch {socket -server {} -myaddr 127.0.0.1 [expr {1100 + $block}]} lock]} {
        return 0
    }
    dict set locks $block $lock
    return 1
}

proc ports::unlock {blocks} {
    variable locks
    foreach block $blocks {
        if {[dict exists $locks $block]} {
            close [dict get $locks $block]
            dict unset locks $block
        }
    }
}

proc ports::all_free {low high} {
    # Not even an old connection is to be in the way.
    foreach row [tcp_rows] {
        set port [scan [lindex $row 1] %*\[^:\]:%x]
        if {$port >= $low && $port <= $high} {
            return 0
        }
    }
    for {set port $low} {$port <= $high} {incr port} {
        if {![support::is_free $port]} {
            return 0
        }
    }
    return 1
}

# Takes that many blocks in a row from this one on, or none.
proc ports::take {first count} {
    variable locks
    set blocks {}
    for {set block $first} {$block < $first + $count} {incr block} {
        if {[dict exists $locks $block] || ![lock $block]} {
            unlock $blocks
            return 0
        }
        lappend blocks $block
    }
    if {![all_free [expr {2000 + 100 * $first}] [expr {2099 + 100 * ($block - 1)}]]} {
        unlock $blocks
        return 0
    }
    return 1
}

proc own_range {count} {
    set blocks [expr {($count + 99) / 100}]
    set places [expr {79 - $blocks}]
    for {set try 0} {$try < $places} {incr try} {
        set first [expr {([pid] * 7 + $try) % $places}]
        if {[ports::take $first $blocks]} {
            set low [expr {2000 + 100 * $first}]
            return [list $low [expr {$low + $count - 1}]]
        }
    }
    error "no range of $count ports is left"
}

# --------------------------------------------------------------- the manager --

# Starts a manager of the range ::low to ::high; switches given here win.
proc start {args} {
    set ::manager [manager start {*}[dict merge [list -ports $::low-$::high] $args]]
    set ::latest $::manager
    set ::port [dict get $::manager port]
}

# A program that becomes a command of the shell, in which %program% is the manager;
# its arguments go behind.
proc as_program {command} {
    set path [support scratch program[incr ::count_programs].sh]
    set file [open $path w 0755]
    puts $file "#!/bin/sh\n[string map [list %program% '$::env(PA_DAEMON)'] $command] \"\$@\""
    close $file
    return $path
}

# Starts it by such a command.
proc start_by {command args} {
    set program $::env(PA_DAEMON)
    set ::env(PA_DAEMON) [as_program $command]
    try {
        start {*}$args
    } finally {
        set ::env(PA_DAEMON) $program
    }
}

# Starts it by such a command with these switches and no others, and waits until it
# says that it serves.
proc launch {command args} {
    set dir [support scratch launched[incr ::count_launched]]
    file mkdir $dir
    set guard [expr {[testConstraint setpriv] ? {setpriv --pdeathsig KILL} : {}}]
    set channel [open |[list {*}$guard [as_program $command] {*}$args > $dir/out 2> $dir/err] w]
    set ::manager [dict create pid [pid $channel] channel $channel dir $dir out $dir/out \
        err $dir/err]
    set ::latest $::manager
    lappend support::managers $::manager
    support wait_until {[regexp {DaqPortManager: port (\d+),} [complaints] -> ::port]
        || ![manager running $::manager]}
    if {![manager running $::manager]} {
        set text [complaints]
        end_manager
        error "the port manager ended: $text"
    }
}

# Runs it to its end: status, standard output, standard error output.
proc outcome {args} {
    return [outcome_by "exec %program%" {*}$args]
}
proc outcome_by {command args} {
    set dir [support scratch run[incr ::count_run]]
    file mkdir $dir
    set status 0
    if {[catch {
        exec timeout -s KILL 120 [as_program $command] {*}$args < /dev/null > $dir/out 2> $dir/err
    } text options]} {
        set status [lindex [dict get $options -errorcode] 2]
    }
    return [list $status [manager::read_file $dir/out] [manager::read_file $dir/err]]
}

# What it wrote to its standard error output.
proc complaints {} {
    return [content err]
}

# Ends all that was opened and the manager, if there is one that was not ended
# before: its exit status.
proc end_manager {{signal TERM}} {
    raw close_all
    other stop_all
    if {$::manager eq {}} {
        return 0
    }
    set status [manager stop $::manager $signal]
    set ::manager {}
    return $status
}

# The same; an error if the manager ends with another status than 0 or has said
# more than its first line.
proc stop {{signal TERM}} {
    if {$::manager eq {}} {
        end_manager
        return
    }
    set status [end_manager $signal]
    set text [complaints]
    if {$status ne "0" || ![regexp {\ADaqPortManager: port \d+, [^\n]*\n\Z} $text]} {
        error "the manager ended with $status and had said: $text"
    }
}

# The path of a file of the manager's, which may have ended: log, usagefile,
# portfile, pidfile, out or err; and what is in it.
proc path {file} {
    return [dict get $::latest $file]
}
proc content {file} {
    return [manager::read_file [path $file]]
}

# The texts of the log, without level, time and host.
proc log_texts {} {
    return [lmap line [split [string trimright [content log] \n] \n] {
        regsub {^\w+ +\w+ \d\d, \d{4} \d\d:\d\d:\d\d \S+ } $line {}
    }]
}

# Waits until the log has a line whose text matches.
proc await_log {pattern} {
    support wait_until {[lsearch -glob [log_texts] $pattern] >= 0}
}

# ------------------------------------------------------- bytes as they are --

namespace eval raw {
    variable opened {}
    variable woken {}
    namespace export open send half_close read line list rest ask talk talk_to close close_all
    namespace ensemble create
}

proc raw::open {{host 127.0.0.1}} {
    return [open_to $::port $host]
}

proc raw::open_to {port host} {
    variable opened
    set channel [socket $host $port]
    fconfigure $channel -translation binary -buffering none -blocking 0
    lappend opened $channel
    return $channel
}

# Sends bytes; what the manager does not take now goes in the background.
proc raw::send {channel bytes} {
    puts -nonewline $channel $bytes
}

proc raw::half_close {channel} {
    fconfigure $channel -blocking 1
    ::close $channel write
    fconfigure $channel -blocking 0
}

proc raw::await {channel} {
    variable woken
    set timer [after [support::deadline] [::list set [namespace current]::woken late]]
    fileevent $channel readable [::list set [namespace current]::woken ready]
    vwait [namespace current]::woken
    after cancel $timer
    fileevent $channel readable {}
    if {$woken eq "late"} {
        error "gave up waiting for bytes"
    }
}

# So many bytes; fewer if the manager closes before.
proc raw::read {channel count} {
    set bytes {}
    while {[string length $bytes] < $count} {
        append bytes [::read $channel [expr {$count - [string length $bytes]}]]
        if {[eof $channel] || [string length $bytes] >= $count} break
        await $channel
    }
    return $bytes
}

# The next line with its end; what there is of it if the manager closes before.
proc raw::line {channel} {
    while {[gets $channel line] < 0} {
        if {[eof $channel]} {
            return $line
        }
        await $channel
    }
    return [expr {[eof $channel] ? $line : "$line\n"}]
}

# All bytes until the manager closes.
proc raw::rest {channel} {
    set bytes {}
    while 1 {
        append bytes [::read $channel]
        if {[eof $channel]} {
            return $bytes
        }
        await $channel
    }
}

# Sends a request; the first line of its answer.
proc raw::ask {channel request} {
    send $channel $request
    return [line $channel]
}

# The lines of LIST without their ends.
proc raw::list {channel} {
    set first [ask $channel LIST\n]
    if {![regexp {^OK (\d+)\r\n$} $first -> count]} {
        error "LIST was answered by $first"
    }
    set lines {}
    for {set i 0} {$i < $count} {incr i} {
        lappend lines [string range [line $channel] 0 end-2]
    }
    return $lines
}

# Everything the manager says to these bytes and to the end behind them.
proc raw::talk {bytes {host 127.0.0.1}} {
    set channel [open $host]
    send $channel $bytes
    half_close $channel
    set answer [rest $channel]
    close $channel
    return $answer
}

proc raw::close {channel} {
    variable opened
    set opened [lsearch -all -inline -not -exact $opened $channel]
    fconfigure $channel -blocking 0
    ::close $channel
}

proc raw::close_all {} {
    variable opened
    foreach channel $opened {
        close $channel
    }
}

# Waits until the manager has read every byte sent.
proc await_read {channel} {
    set here [lindex [fconfigure $channel -sockname] 2]
    set there [lindex [fconfigure $channel -peername] 2]
    support wait_until {[unread_bytes $here $there] == 0}
}

# The bytes on their way from one port to another: not yet acknowledged, or
# acknowledged and not yet read. -1 if there is no such connection.
proc unread_bytes {from to} {
    set sum 0
    set ends 0
    foreach row [tcp_rows] {
        lassign $row - local remote - queues
        lassign [split $queues :] unsent unread
        switch [scan $local %*\[^:\]:%x],[scan $remote %*\[^:\]:%x] \
            $from,$to { incr ends; incr sum [scan $unsent %x] } \
            $to,$from { incr ends; incr sum [scan $unread %x] }
    }
    return [expr {$ends == 2 ? $sum : -1}]
}

# The rows of the kernel's tables of TCP sockets: number, local, remote, state, queues, timer...
proc tcp_rows {} {
    set rows {}
    foreach path {/proc/net/tcp /proc/net/tcp6} {
        lappend rows {*}[lrange [split [string trim [manager::read_file $path]] \n] 1 end]
    }
    return $rows
}

# ---------------------------------------------------------- other processes --

namespace eval other {
    variable program [file normalize [info script]]
    variable started {}
    namespace export start tell hear do signal pid stop stop_all
    namespace ensemble create
}

# Starts one; words that are given here are a command that becomes it. It has the
# commands of this file, and ::port of the manager.
proc other::start {args} {
    variable program
    variable started
    set guard [expr {[auto_execok setpriv] eq {} ? {} : {setpriv --pdeathsig KILL}}]
    set channel [open |[list {*}$guard {*}$args [support tclsh] $program] r+]
    fconfigure $channel -buffering line -blocking 0 -translation lf
    lappend started $channel
    do $channel [list set port $::port]
    return $channel
}

proc other::pid {channel} {
    return [::pid $channel]
}

# Tells it a script without waiting for the result, which `hear` does.
proc other::tell {channel script} {
    puts $channel [binary encode base64 [encoding convertto utf-8 $script]]
}

proc other::hear {channel} {
    set line [string trimright [raw::line $channel] \n]
    if {$line eq {}} {
        error "the other process ended"
    }
    lassign [encoding convertfrom utf-8 [binary decode base64 $line]] code result
    return -code $code $result
}

proc other::do {channel script} {
    tell $channel $script
    return [hear $channel]
}

# A signal by its name. After KILL the process is gone when this returns.
proc other::signal {channel name} {
    exec kill -$name [pid $channel]
    if {$name eq "KILL"} {
        stop $channel
    }
}

proc other::stop {channel} {
    variable started
    set started [lsearch -all -inline -not -exact $started $channel]
    catch {exec kill -KILL [pid $channel]}
    fconfigure $channel -blocking 1
    catch {close $channel}
}

proc other::stop_all {} {
    variable started
    foreach channel $started {
        stop $channel
    }
}

# ------------------------------------------------------------------- /proc --

# Kilobytes of memory that a process has now.
proc resident_kb {pid} {
    regexp -line {^VmRSS:\s+(\d+) kB$} [manager::read_file /proc/$pid/status] -> kb
    return $kb
}

# Ticks of a hundredth of a second that a process has computed for.
proc ticks {pid} {
    set stat [manager::read_file /proc/$pid/stat]
    set fields [string range $stat [string last ) $stat]+2 end]
    return [expr {[lindex $fields 11] + [lindex $fields 12]}]
}

# ------------------------------------------------------------------- ending --

proc finish {} {
    stop
    ports::unlock [dict keys $ports::locks]
    support finish
}

if {[file normalize $::argv0] eq $other::program} {
    while {[gets stdin line] >= 0} {
        set script [encoding convertfrom utf-8 [binary decode base64 $line]]
        set code [catch $script result]
        puts [binary encode base64 [encoding convertto utf-8 [list $code $result]]]
        flush stdout
    }
    exit
}
