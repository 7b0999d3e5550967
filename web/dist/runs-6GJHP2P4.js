import{d as n}from"./chunk-V5KZCUB3.js";function u(){return n("p",{children:"Runs"})}export{u as Runs};
