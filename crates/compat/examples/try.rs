//! scratch
use tidegate_compat::json::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let d: Draft = a[1].parse().unwrap();
    let w = Schema::read(Named{name:"old",text:&a[2]}, &[], d).unwrap();
    let r = Schema::read(Named{name:"new",text:&a[3]}, &[], d).unwrap();
    for x in compare(&w,&r,if a.len()>4 {OpenContent::Reserved} else {OpenContent::Exact},&||true) { println!("{x:#?}"); }
}
