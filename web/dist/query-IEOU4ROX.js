import{d as r}from"./chunk-V5KZCUB3.js";function u(){return r("p",{children:"Query"})}export{u as Query};
