# Greets whoever connects, on a port that nobody else can have taken: tclsh listen.tcl
package require portAllocator
proc greet {channel address port} {
    puts $channel "hello $address"
    close $channel
}
set p [portAllocator create %AUTO%]
set listener [$p listen Greeter greet -attributes {proto text}]
$p destroy
puts "listening on [lindex [fconfigure $listener -sockname] 2]"
vwait forever
