import{d as r}from"./chunk-V5KZCUB3.js";function t(){return r("p",{children:"Trust"})}export{t as Trust};
